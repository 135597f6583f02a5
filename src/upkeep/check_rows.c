/* Every row of every table: can it be read, and is there what it belongs to? */
#include "base/mem.h"
#include "job/job_record.h"
#include "upkeep/checks.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

struct rows {
	struct doctor *d;
	uint64_t n, broken, orphans;
	struct err first; /* why the first broken one is */
	bool input; /* of a job: what names stand in */
	uint64_t owner; /* the last one that was looked up */
	bool owned;
};

static enum errcode check_json(struct bytes text, struct err *e)
{
	json_error_t error;
	json_t *j = json_loadb(text.data ? text.data : "", text.size, JSON_DECODE_ANY, &error);
	if (!j)
		return err_set(e, E_INVALID, "%s", error.text);
	json_decref(j);
	return E_OK;
}

static enum errcode check_head(const struct store_row *row, struct err *e)
{
	struct job_record job;
	struct attempt_record attempt;
	struct key_record key;
	struct callback_record callback;
	uint64_t becomes;
	switch (row->table) {
	case STORE_JOB:
	case STORE_DONE:
	case STORE_DEAD:
		return job_record_decode(row->head, &job, e);
	case STORE_ATTEMPT:
		return attempt_record_decode(row->head, &attempt, e);
	case STORE_KEY:
		return key_record_decode(row->head, &key, e);
	case STORE_ITEM:
		return item_record_decode(row->head, &becomes, e);
	case STORE_CALLBACK:
		return callback_record_decode(row->head, &callback, e);
	case STORE_SCHEDULE:
		return check_json(row->head, e) == E_OK ? check_json(row->body, e) : E_INVALID;
	case STORE_RUN:
		return check_json(row->head, e);
	case STORE_SETTING:
		return check_json(row->body, e);
	default:
		return E_OK;
	}
}

static void note_blob(void *context, const char *name)
{
	struct rows *r = context;
	struct doctor *d = r->d;
	if (d->ref_n == d->ref_room)
		d->refs = mem_resize(d->refs, (d->ref_room = d->ref_room ? d->ref_room * 2 : 64) * sizeof *d->refs);
	memcpy(d->refs[d->ref_n].name, name, BLOB_NAME_SIZE);
	d->refs[d->ref_n++].needed = r->input;
}

/* Items, checkpoints and attempts belong to a job, wherever that is. */
static bool has_owner(struct rows *r, uint64_t id)
{
	static const enum store_table jobs[] = {STORE_JOB, STORE_DONE, STORE_DEAD};
	if (r->owner == id)
		return r->owned;
	r->owner = id;
	r->owned = false;
	for (size_t i = 0; i < ARRAY_SIZE(jobs) && !r->owned; i++)
		r->owned = store_reader_get(r->d->reader, jobs[i], (struct store_key){.id = id}, NULL, NULL, NULL) == E_OK;
	return r->owned;
}

static bool check_row(void *context, const struct store_row *row)
{
	struct rows *r = context;
	struct err e;
	char name[BLOB_NAME_SIZE];
	bool only;
	r->n++;
	if (check_head(row, &e) != E_OK && r->broken++ == 0)
		r->first = e;
	bool job = row->table == STORE_JOB || row->table == STORE_DEAD;
	r->input = job && blob_of_input(row->body, name, &only);
	if (r->input)
		note_blob(r, name);
	r->input = false;
	blob_each_name(row->head, note_blob, r);
	blob_each_name(row->body, note_blob, r);
	if (row->table == STORE_ITEM || row->table == STORE_CHECKPOINT || row->table == STORE_ATTEMPT)
		r->orphans += !has_owner(r, row->key.id);
	return true;
}

void checks_rows(struct doctor *d)
{
	uint64_t all = 0, orphans = 0;
	bool good = true;
	for (int t = 0; t < STORE_TABLES; t++) {
		struct rows r = {.d = d};
		struct err e;
		const char *name = store_table_name((enum store_table)t);
		struct store_range range = {.table = (enum store_table)t, .bodies = true};
		if (store_reader_scan(d->reader, &range, check_row, &r, &e) != E_OK) {
			doctor_say(d, "rows", DOCTOR_ERROR, "%s: after %" PRIu64 " rows: %s", name, r.n, e.text);
			good = false;
		}
		if (r.broken) {
			doctor_say(d, "rows", DOCTOR_ERROR, "%s: %" PRIu64 " of %" PRIu64 " rows cannot be read; the first: %s",
				name, r.broken, r.n, r.first.text);
			good = false;
		}
		all += r.n;
		orphans += r.orphans;
	}
	if (good)
		doctor_say(d, "rows", DOCTOR_OK, "%" PRIu64 " rows, all of them can be read", all);
	if (orphans)
		doctor_say(
			d, "references", DOCTOR_WARNING, "%" PRIu64 " items, checkpoints or attempts belong to no job", orphans);
	else
		doctor_say(d, "references", DOCTOR_OK, "every item, checkpoint and attempt belongs to a job");
}
