#include "summary.h"

#include "utf8.h"

void summary_init(struct summary *s, enum summary_kind kind, const struct keywords *k)
{
	*s = (struct summary){.kind = kind, .keyword_counts = g_new0(uint64_t, k->n + 1)};
	tally_init(&s->senders);
	tally_init(&s->words);
	tally_init(&s->months);
	tally_init(&s->types);
}

void summary_fini(struct summary *s)
{
	g_free(s->keyword_counts);
	tally_fini(&s->senders);
	tally_fini(&s->words);
	tally_fini(&s->months);
	tally_fini(&s->types);
	*s = (struct summary){0};
}

static void summary_date(struct summary *s, const struct message *m)
{
	if (!*m->date)
		return;
	if (!s->dated || m->instant < s->earliest) {
		s->earliest = m->instant;
		memcpy(s->earliest_text, m->date, sizeof m->date);
	}
	if (!s->dated || m->instant > s->latest) {
		s->latest = m->instant;
		memcpy(s->latest_text, m->date, sizeof m->date);
	}
	s->dated++;
	if (s->kind == SUMMARY_ANALYZE) {
		char month[8];
		snprintf(month, sizeof month, "%.7s", m->date);
		tally_add(&s->months, month, 1);
	}
}

/* Words that say nothing about what a mailbox is about. */
static bool summary_is_stop_word(const char *word)
{
	static const char *const words[] = {"about", "after", "again", "also", "been", "before", "being", "between", "both",
		"could", "does", "doing", "down", "during", "each", "from", "further", "have", "having", "here", "into", "just",
		"more", "most", "only", "other", "over", "same", "should", "some", "such", "than", "that", "their", "them",
		"then", "there", "these", "they", "this", "those", "through", "under", "until", "very", "were", "what", "when",
		"where", "which", "while", "will", "with", "would", "your", "yours"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i], word))
			return true;
	return false;
}

static void summary_word(struct summary *s, const struct buf *word)
{
	if (word->n && !word->failed && utf8_count(word->data, word->n) > 3 && !summary_is_stop_word(word->data))
		tally_add(&s->words, word->data, 1);
}

static void summary_subject(struct summary *s, const char *subject)
{
	size_t n = subject ? strlen(subject) : 0, length;
	struct buf word = {0};

	for (size_t i = 0; i < n; i += length) {
		int32_t c = utf8_decode(subject + i, n - i, &length);
		if (c > 0 && g_unichar_isalpha((gunichar)c)) {
			utf8_encode(&word, g_unichar_tolower((gunichar)c));
			continue;
		}
		summary_word(s, &word);
		buf_cut(&word, 0);
	}
	summary_word(s, &word);
	buf_fini(&word);
}

static void summary_attachments(struct summary *s, const GArray *list)
{
	s->with_attachments += list->len > 0;
	s->attachments += list->len;
	for (guint i = 0; i < list->len; i++) {
		const struct attachment *a = &g_array_index(list, struct attachment, i);
		s->attachment_bytes += a->size;
		if (s->kind == SUMMARY_ANALYZE)
			tally_add(&s->types, a->type, 1);
	}
}

void summary_add(struct summary *s, const struct message *m, const struct keywords *k, const bool *found)
{
	bool any = false;

	for (size_t i = 0; i < k->n; i++) {
		s->keyword_counts[i] += found[i];
		any |= found[i];
	}
	s->receipts += any;
	s->damaged += m->damaged->len > 0;
	s->characters += m->characters;
	s->size_total += m->size;
	if (!s->messages || m->size < s->size_min)
		s->size_min = m->size;
	if (m->size > s->size_max)
		s->size_max = m->size;
	s->messages++;
	summary_date(s, m);
	if (m->from_address && *m->from_address) {
		struct buf clean = {0};
		char *lower = g_ascii_strdown(m->from_address, -1);
		utf8_clean(&clean, lower, strlen(lower));
		if (!clean.failed)
			tally_add(&s->senders, clean.data, 1);
		g_free(lower);
		buf_fini(&clean);
	}
	if (s->kind == SUMMARY_ANALYZE)
		summary_subject(s, m->subject);
	summary_attachments(s, m->attachments);
}
