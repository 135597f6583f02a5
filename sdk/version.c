#include <reeve/version.h>

const char *reeve_version(void)
{
	return REEVE_VERSION;
}
