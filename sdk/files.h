/* files.h - the little that the SDK does with files: memory files, own offsets, whole reads and writes, scratch directories. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A sealed, seekable file in memory with these bytes; offset 0. < 0: errno. */
int files_memory(const char *name, const void *data, size_t size);

/* Another descriptor of the same file with an offset of its own, at 0. Where the file may not be opened again (it belongs to
 * another user) the two share one offset. < 0: errno. */
int files_again(int fd);

bool files_write(int fd, const void *data, size_t size); /* all of it; false: errno */
long files_read(int fd, void *data, size_t size); /* until size or the end; < 0: errno */

/* A new directory, mode 0700, under $REEVE_SCRATCH, $TMPDIR or /tmp. Malloced; NULL: errno. */
char *files_scratch(const char *hint);
void files_remove_tree(const char *path); /* follows no link, crosses no mount, complains about nothing */
