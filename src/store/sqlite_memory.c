/* SQLite's memory ends the engine where it runs out, as ours does (base/mem.h): a blob that it has no memory for would read as
 * an empty one, and be written down as such. The engine begins again from the disk. */
#include "store/sqlite_db.h"

#include <stdlib.h>

static sqlite3_mem_methods its; /* own */

static void *memory_new(int size)
{
	void *p = its.xMalloc(size);
	if (!p)
		abort();
	return p;
}

static void *memory_resize(void *old, int size)
{
	void *p = its.xRealloc(old, size);
	if (!p)
		abort();
	return p;
}

void db_set_memory(void)
{
	if (its.xMalloc || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &its) != SQLITE_OK)
		return;
	sqlite3_mem_methods ours = its;
	ours.xMalloc = memory_new;
	ours.xRealloc = memory_resize;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}
