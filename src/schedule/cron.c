/* The text of a cron expression to bits. Strict: what is not understood by all crons alike is refused with what to write. */
#include "schedule/cron.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

enum field { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const char *const month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct {
	const char *name;
	int min, max;
	const char *const *names; /* of min and what follows */
} fields[FIELDS] = {{"second", 0, 59, NULL}, {"minute", 0, 59, NULL}, {"hour", 0, 23, NULL},
	{"day of month", 1, 31, NULL}, {"month", 1, 12, month_names}, {"day of week", 0, 7, weekday_names}};

struct parser {
	struct bytes text;
	size_t at, end; /* of the field */
	enum field field;
	struct cron *cron;
	struct err *e;
};

static bool refuse(struct parser *p, size_t from, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool refuse(struct parser *p, size_t from, const char *format, ...)
{
	char why[256];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	size_t to = from;
	while (to < p->end && p->text.data[to] != ',')
		to++;
	err_set(p->e, E_INVALID, "cron \"%.*s\": %s \"%.*s\" at position %zu: %s",
		(int)(p->text.size < 80 ? p->text.size : 80), p->text.data, fields[p->field].name,
		(int)(to - from < 32 ? to - from : 32), p->text.data + from, from + 1, why);
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char peek(const struct parser *p) /* 0: the end of the field */
{
	return p->at < p->end ? p->text.data[p->at] : 0;
}

static bool number(struct parser *p, int *out)
{
	size_t from = p->at;
	int n = 0;
	for (; is_digit(peek(p)) && p->at - from < 4; p->at++)
		n = n * 10 + peek(p) - '0';
	*out = n;
	return p->at > from && !is_digit(peek(p));
}

static bool name(struct parser *p, int *out)
{
	const char *const *names = fields[p->field].names;
	for (int i = 0; names && names[i]; i++) {
		if (p->end - p->at >= 3 && strncasecmp(p->text.data + p->at, names[i], 3) == 0) {
			p->at += 3;
			*out = fields[p->field].min + i;
			return true;
		}
	}
	return false;
}

static bool value(struct parser *p, int *out)
{
	size_t from = p->at;
	int min = fields[p->field].min, max = fields[p->field].max;
	if (is_letter(peek(p)) && name(p, out))
		return true;
	if (!number(p, out) || *out < min || *out > max)
		return refuse(p, from, "a number from %d to %d%s is needed", min, max,
			p->field == MONTH	  ? " or jan to dec"
			: p->field == WEEKDAY ? " or sun to sat"
								  : "");
	return true;
}

/* "/n" after a range; 1 when there is none. */
static bool step(struct parser *p, size_t from, bool range, int *out)
{
	int span = fields[p->field].max - fields[p->field].min;
	*out = 1;
	if (peek(p) != '/')
		return true;
	if (!range)
		return refuse(p, from, "a step needs a range before it, such as 5-%d/15", fields[p->field].max);
	p->at++;
	if (!number(p, out) || *out < 1 || *out > span)
		return refuse(p, from, "a step from 1 to %d is needed", span);
	return true;
}

static uint64_t range_bits(int from, int to, int by)
{
	uint64_t bits = 0;
	for (; from <= to; from += by)
		bits |= 1ULL << from;
	return bits;
}

/* fri#2, friL: the value is read already. */
static bool nth(struct parser *p, size_t from, int weekday)
{
	int n = 0;
	if (p->text.data[p->at++] == '#' && (!number(p, &n) || n < 1 || n > 5))
		return refuse(p, from, "after # a number from 1 to 5 is needed");
	p->cron->nth[n] |= (uint8_t)(1U << weekday % 7);
	return true;
}

static bool range(struct parser *p, size_t from, uint64_t *bits)
{
	int first, last, by;
	if (!value(p, &first))
		return false;
	if (p->field == WEEKDAY && (peek(p) == '#' || peek(p) == 'L' || peek(p) == 'l'))
		return nth(p, from, first);
	last = first;
	bool is_range = peek(p) == '-';
	if (is_range) {
		p->at++;
		if (!value(p, &last))
			return false;
		if (p->field == WEEKDAY && last == 0) /* sat-sun */
			last = 7;
		if (last < first)
			return refuse(p, from, "a range goes upwards; write two, such as 22-23,0-2");
	}
	if (!step(p, from, is_range, &by))
		return false;
	*bits |= range_bits(first, last, by);
	return true;
}

static bool item(struct parser *p, uint64_t *bits)
{
	size_t from = p->at;
	int by;
	if (p->field == DAY && (peek(p) == 'L' || peek(p) == 'l')) {
		p->at++;
		p->cron->last_day = true;
	} else if (peek(p) == '*') {
		p->at++;
		if (!step(p, from, true, &by))
			return false;
		*bits |= range_bits(fields[p->field].min, fields[p->field].max - (p->field == WEEKDAY), by);
	} else if (peek(p) == '?') {
		return refuse(p, from, "write * for any");
	} else if (!range(p, from, bits)) {
		return false;
	}
	return !peek(p) || peek(p) == ',' || refuse(p, from, "\"%c\" is not understood there", peek(p));
}

static bool field(struct parser *p, uint64_t *bits)
{
	do {
		if (!item(p, bits))
			return false;
	} while (peek(p) == ',' && p->at++ < p->end);
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Where the fields are; their number. */
static size_t split(struct bytes text, size_t starts[FIELDS + 1], size_t ends[FIELDS + 1])
{
	size_t n = 0;
	for (size_t at = 0; at < text.size && n <= FIELDS;) {
		while (at < text.size && is_space(text.data[at]))
			at++;
		if (at == text.size)
			break;
		starts[n] = at;
		while (at < text.size && !is_space(text.data[at]))
			at++;
		ends[n++] = at;
	}
	return n;
}

static struct bytes shorthand(struct bytes text)
{
	static const char *const words[][2] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
		{"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"},
		{"@hourly", "0 * * * *"}};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (bytes_equal(text, bytes_of(words[i][0])))
			return bytes_of(words[i][1]);
	return text;
}

enum errcode cron_parse(struct bytes text, struct cron *out, struct err *e)
{
	size_t starts[FIELDS + 1], ends[FIELDS + 1];
	uint64_t bits[FIELDS] = {1};
	bool star[FIELDS] = {false};
	struct cron c = {0};
	if (text.size > CRON_TEXT_MAX)
		return err_set(e, E_INVALID, "cron: %zu characters; at most %d", text.size, CRON_TEXT_MAX);
	struct bytes plain = shorthand(text);
	int shown = (int)(text.size < 80 ? text.size : 80);
	if (plain.size && plain.data[0] == '@')
		return err_set(e, E_INVALID,
			"cron \"%.*s\": the shorthands are @yearly, @monthly, @weekly, @daily and @hourly; for intervals there is "
			"`every`",
			shown, text.data);
	size_t n = split(plain, starts, ends);
	if (n != 5 && n != 6)
		return err_set(e, E_INVALID,
			"cron \"%.*s\": %zu fields; write minute, hour, day of month, month, day of week, such as \"*/5 8-18 * * "
			"mon-fri\"",
			shown, text.data, n);
	for (size_t i = 0; i < n; i++) {
		enum field f = (enum field)(i + FIELDS - n);
		struct parser p = {.text = plain, .at = starts[i], .end = ends[i], .field = f, .cron = &c, .e = e};
		bits[f] = 0;
		star[f] = plain.data[starts[i]] == '*';
		if (!field(&p, &bits[f]))
			return E_INVALID;
	}
	c.seconds = bits[SECOND];
	c.minutes = bits[MINUTE];
	c.hours = (uint32_t)bits[HOUR];
	c.days = (uint32_t)bits[DAY];
	c.months = (uint32_t)bits[MONTH];
	c.weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f);
	c.either = !star[DAY] && !star[WEEKDAY];
	c.wild = star[SECOND] || star[MINUTE] || star[HOUR];
	if (cron_next(&c, 0) == CRON_NEVER)
		return err_set(
			e, E_INVALID, "cron \"%.*s\": never happens: in none of its months is there such a day", shown, text.data);
	*out = c;
	return E_OK;
}
