/* A libFuzzer target for mailbox and MIME: the first byte chooses options, the rest is the mail. */
#include "pass.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int fuzz_emit(void *context, uint64_t key, const char *item, size_t n)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const choices[] = {NULL, "{\"blob\":\"x\",\"format\":\"eml\",\"max_text\":100}",
		"{\"blob\":\"x\",\"format\":\"mbox\",\"keywords\":[\"a b\",\"\\u00e9\"]}"};
	const struct host host = {.emit = fuzz_emit, .checkpoint = NULL};
	struct options_config config;
	struct options o;
	struct buf out = {0};
	struct fault f = {0};
	int fd;

	if (!n)
		return 0;
	pass_prepare();
	const char *choice = choices[data[0] % 3];
	if (options_config_read(&config, NULL, 0, &f) || options_read(&o, &config, choice, choice ? strlen(choice) : 0, &f))
		abort();
	fd = memfd_create("mail", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 1, n - 1) != (ssize_t)(n - 1))
		abort();
	struct pass p = {.kind = data[0] / 3 % 2, .options = &o, .host = &host};
	pass_run(&p, fd, &out, &f);
	close(fd);
	options_fini(&o);
	buf_fini(&out);
	return 0;
}
