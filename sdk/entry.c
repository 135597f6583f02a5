/* entry.c - libreeve-main.a: the main() of a worker that is a program. */
#include <reeve/worker.h>

int main(int argc, char **argv)
{
	return reeve_main(argc, argv, &reeve_export);
}
