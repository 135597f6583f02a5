#include "result.h"

#include "put.h"

#include <stdlib.h>

/* 100 * part / whole in hundredths, rounded to the nearest. */
static uint64_t result_ratio(uint64_t part, uint64_t whole, uint64_t scale)
{
	return whole ? (uint64_t)(((unsigned __int128)part * scale + whole / 2) / whole) : 0;
}

static void result_dates(struct buf *out, const struct summary *s)
{
	put_key(out, "date_range");
	put_open(out, '{');
	put_key(out, "earliest");
	put_string(out, s->dated ? s->earliest_text : NULL);
	put_key(out, "latest");
	put_string(out, s->dated ? s->latest_text : NULL);
	put_key(out, "total_span_days");
	if (s->dated)
		put_integer(out, (s->latest - s->earliest) / 86400);
	else
		put_null(out);
	put_close(out, '}');
}

static void result_tally(
	struct buf *out, const char *key, const char *name, const struct tally *t, enum tally_order order, size_t most)
{
	const struct tally_entry **list = tally_sorted(t, order, most);

	put_key(out, key);
	put_open(out, '[');
	for (size_t i = 0; list && list[i]; i++) {
		put_open(out, '{');
		put_key(out, name);
		put_string(out, list[i]->name);
		put_key(out, "count");
		put_unsigned(out, list[i]->count);
		put_close(out, '}');
	}
	put_close(out, ']');
	out->failed |= !list;
	free(list);
}

/* Keywords in the order of their counts; those that were never found are left out. */
static void result_keywords(struct buf *out, const struct summary *s, const struct keywords *k, size_t most)
{
	struct tally t;

	tally_init(&t);
	for (size_t i = 0; i < k->n; i++)
		if (s->keyword_counts[i])
			tally_add(&t, k->given[i], s->keyword_counts[i]);
	result_tally(out, "most_common_keywords", "keyword", &t, TALLY_BY_COUNT, most);
	tally_fini(&t);
}

static void result_parse(
	struct buf *out, const struct summary *s, const struct keywords *k, enum mbox_format format, uint64_t bytes)
{
	put_key(out, "format");
	put_string(out, format == MBOX_MBOX ? "mbox" : "eml");
	put_key(out, "message_count");
	put_unsigned(out, s->messages);
	put_key(out, "damaged_count");
	put_unsigned(out, s->damaged);
	put_key(out, "receipt_count");
	put_unsigned(out, s->receipts);
	put_key(out, "attachment_count");
	put_unsigned(out, s->attachments);
	put_key(out, "bytes");
	put_unsigned(out, bytes);
	put_key(out, "summary");
	put_open(out, '{');
	result_dates(out, s);
	result_tally(out, "top_senders", "address", &s->senders, TALLY_BY_COUNT, 5);
	put_key(out, "top_senders_approximate");
	put_bool(out, s->senders.approximate);
	put_key(out, "receipt_percentage");
	put_hundredths(out, result_ratio(s->receipts, s->messages, 10000));
	put_key(out, "average_body_length");
	put_hundredths(out, result_ratio(s->characters, s->messages, 100));
	result_keywords(out, s, k, 5);
	put_close(out, '}');
}

static void result_sizes(struct buf *out, const struct summary *s)
{
	put_key(out, "size_distribution");
	put_open(out, '{');
	put_key(out, "min_size");
	put_unsigned(out, s->size_min);
	put_key(out, "max_size");
	put_unsigned(out, s->size_max);
	put_key(out, "average_size");
	put_hundredths(out, result_ratio(s->size_total, s->messages, 100));
	put_key(out, "total_size");
	put_unsigned(out, s->size_total);
	put_close(out, '}');
}

static void result_analyze(struct buf *out, const struct summary *s)
{
	put_key(out, "analysis");
	put_open(out, '{');
	put_key(out, "total_messages");
	put_unsigned(out, s->messages);
	put_key(out, "damaged_messages");
	put_unsigned(out, s->damaged);
	put_key(out, "receipt_ratio");
	put_hundredths(out, result_ratio(s->receipts, s->messages, 100));
	result_dates(out, s);
	result_tally(out, "top_senders", "address", &s->senders, TALLY_BY_COUNT, 10);
	put_key(out, "top_senders_approximate");
	put_bool(out, s->senders.approximate);
	result_tally(out, "subject_keywords", "word", &s->words, TALLY_BY_COUNT, 10);
	result_sizes(out, s);
	result_tally(out, "temporal_distribution", "month", &s->months, TALLY_BY_NAME, TALLY_MAX);
	put_key(out, "attachments");
	put_open(out, '{');
	put_key(out, "count");
	put_unsigned(out, s->attachments);
	put_key(out, "total_size");
	put_unsigned(out, s->attachment_bytes);
	put_key(out, "messages_with_attachments");
	put_unsigned(out, s->with_attachments);
	result_tally(out, "types", "type", &s->types, TALLY_BY_COUNT, 10);
	put_close(out, '}');
	put_close(out, '}');
}

void result_write(
	struct buf *out, const struct summary *s, const struct keywords *k, enum mbox_format format, uint64_t bytes)
{
	put_open(out, '{');
	put_key(out, "status");
	put_string(out, "completed");
	if (s->kind == SUMMARY_PARSE)
		result_parse(out, s, k, format, bytes);
	else
		result_analyze(out, s);
	put_close(out, '}');
}
