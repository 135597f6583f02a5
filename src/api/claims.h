/* claims.h - what the files of /v1/claims share: claims.c asks and lists, claims_end.c hears of the end, claims_beat.c of what
 * happens until then. */
#pragma once
#include "api/api.h"
#include "api/members.h"

void claims_answer_wrong(struct http_request *r, struct members *m); /* 400, with the place */
/* Of the path's job: its id, and of the body `names`, whose first is "fence". Answers what is wrong. */
bool claims_read(
	struct http_request *r, const char *const *names, struct members *m, struct bytes *v, uint64_t *id, int64_t *fence);
/* Says of a refusal with E_FENCE how the job is instead; of a cancelled one E_CANCELLED. */
void claims_explain(struct api *a, uint64_t id, struct err *e);

void claims_add_refusal(struct buf *out, uint64_t id, const struct err *e); /* {"job_id","error"}; claims_end.c */

void claims_complete_one(void *context, struct http_request *r); /* POST /v1/claims/{job_id}/complete; claims_end.c */
void claims_complete_many(void *context, struct http_request *r);
void claims_fail_one(void *context, struct http_request *r);
void claims_release_one(void *context, struct http_request *r);
void claims_beat_one(void *context, struct http_request *r); /* claims_beat.c */
void claims_beat_many(void *context, struct http_request *r);

/* Stores a claim's new items, {"key","item"} each, and its checkpoint; both may be {NULL,0}. They are durable when what is
 * committed next is. claims_beat.c */
enum errcode claims_keep(
	struct api *a, uint64_t id, uint64_t fence, struct bytes items, struct bytes checkpoint, struct members *m);
