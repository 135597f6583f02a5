/* Heads of stored rows from arbitrary bytes: refused or decoded, never a crash; what was decoded encodes and decodes again. */
#include "job/job_record.h"
#include "queue/queue.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_job(struct bytes head)
{
	struct job_record r, again;
	struct job_view view;
	struct buf out = {0};
	if (job_record_decode(head, &r, NULL))
		return;
	job_record_encode(&r, &out);
	if (job_record_decode(buf_bytes(&out), &again, NULL) || !bytes_equal(r.error_message, again.error_message) ||
		r.keep_until_ms != again.keep_until_ms)
		abort();
	job_view_decode(STORE_DONE, 1, head, &view, NULL);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes head = {(const char *)data, size};
	struct attempt_record attempt;
	struct key_record key;
	uint64_t becomes;
	check_job(head);
	attempt_record_decode(head, &attempt, NULL);
	key_record_decode(head, &key, NULL);
	item_head_decode(head, &becomes);
	return 0;
}
