/* fuzz_items.c - any bytes as the items file: no crash, and a report whatever was counted. meson setup -Dfuzz=true, clang. */
#include <stdlib.h>
#include "pass.h"
#include "report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *file = size ? fmemopen((void *)data, size, "r") : NULL;
	struct tally t;
	char why[400];
	if (!file)
		return 0;
	tally_init(&t, 3);
	pass_run(&t, file, NULL, why, sizeof why);
	free(report_write(&t, NULL));
	tally_fini(&t);
	fclose(file);
	return 0;
}
