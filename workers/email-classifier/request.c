/* request.c - one walk over the input's members. */
#include "request.h"

#include <stdio.h>
#include <string.h>
#include "scan.h"

struct reading {
	struct request *r;
	struct scan j;
	struct span content;
	int has_content, has_fields;
	char *why;
	size_t why_size;
};

static int request_refuse(struct reading *g, const char *problem)
{
	snprintf(g->why, g->why_size, "%s", problem);
	return -1;
}

static int request_unknown_type(struct reading *g, struct span name)
{
	int n = snprintf(g->why, g->why_size, "types: \"%.*s\" is not known; known are",
		(int)(name.size < 64 ? name.size : 64), name.at);
	for (int i = 0; i < TYPES_N && n < (int)g->why_size; i++)
		n += snprintf(g->why + n, g->why_size - n, "%s %s", i ? "," : "", types[types_default[i]].name);
	return -1;
}

static int request_types(struct reading *g)
{
	char buffer[128];
	struct span name;
	g->r->asked_n = 0;
	if (scan_peek(&g->j) != '[')
		return request_refuse(g, "types: must be a list of names, such as [\"bill_detection\"]");
	g->j.at++;
	while (scan_peek(&g->j) != ']') {
		if (g->r->asked_n && scan_expect(&g->j, ','))
			return -1;
		if (scan_peek(&g->j) != '"')
			return request_refuse(g, "types: must hold names only");
		if (scan_string(&g->j, buffer, sizeof buffer, &name))
			return -1;
		int id = types_find(name.at, name.size);
		if (id < 0)
			return request_unknown_type(g, name);
		for (int i = 0; i < g->r->asked_n; i++)
			if (g->r->asked[i] == (enum type_id)id)
				return snprintf(g->why, g->why_size, "types: %s is asked for twice", types[id].name), -1;
		g->r->asked[g->r->asked_n++] = (enum type_id)id;
	}
	return g->r->asked_n ? scan_expect(&g->j, ']') : request_refuse(g, "types: is empty; leave it out to ask for all");
}

/* A string, or null for an empty one. */
static int request_text(struct reading *g, const char *name, char *buffer, size_t room, struct span *out, int *has)
{
	int c = scan_peek(&g->j);
	if (c == 'n')
		return scan_skip(&g->j);
	if (c != '"')
		return snprintf(g->why, g->why_size, "%s: must be a string", name), -1;
	*has = 1;
	return scan_string(&g->j, buffer, room, out);
}

static int request_threshold(struct reading *g)
{
	int c = scan_peek(&g->j);
	if (c == 'n')
		return scan_skip(&g->j);
	if ((c < '0' || c > '9') && c != '-')
		return request_refuse(g, "confidence_threshold: must be a number from 0 to 1");
	if (scan_number(&g->j, &g->r->threshold))
		return -1;
	if (!(g->r->threshold >= 0 && g->r->threshold <= 1))
		return snprintf(g->why, g->why_size, "confidence_threshold: %g is not from 0 to 1", g->r->threshold), -1;
	return 0;
}

static int request_is(struct span name, const char *text)
{
	return name.size == strlen(text) && !memcmp(name.at, text, name.size);
}

static int request_member(struct reading *g, struct span name)
{
	struct request *r = g->r;
	if (request_is(name, "email_content"))
		return request_text(g, "email_content", r->text, sizeof r->text, &g->content, &g->has_content);
	if (request_is(name, "text"))
		return request_text(g, "text", r->text, sizeof r->text, &r->mail.text, &g->has_fields);
	if (request_is(name, "subject"))
		return request_text(g, "subject", r->subject, sizeof r->subject, &r->mail.subject, &g->has_fields);
	if (request_is(name, "from"))
		return request_text(g, "from", r->from, sizeof r->from, &r->mail.from, &g->has_fields);
	if (request_is(name, "message_id")) { /* alone it is no mail */
		int unused;
		return request_text(g, "message_id", r->message_id, sizeof r->message_id, &r->mail.message_id, &unused);
	}
	if (request_is(name, "types"))
		return request_types(g);
	if (request_is(name, "confidence_threshold"))
		return request_threshold(g);
	return scan_skip(&g->j);
}

static int request_members(struct reading *g)
{
	char buffer[64];
	struct span name;
	if (scan_peek(&g->j) != '{')
		return request_refuse(g, "the input must be a JSON object");
	g->j.at++;
	for (int n = 0; scan_peek(&g->j) != '}'; n++) {
		if (n && scan_expect(&g->j, ','))
			return -1;
		if (scan_string(&g->j, buffer, sizeof buffer, &name) || scan_expect(&g->j, ':') || request_member(g, name))
			return -1;
	}
	g->j.at++;
	return scan_peek(&g->j) ? request_refuse(g, "there is more behind the JSON object") : 0;
}

int request_read(struct request *r, const char *data, size_t size, char *why, size_t why_size)
{
	struct reading g = {.r = r, .j = {data, data + size, NULL}, .why = why, .why_size = why_size};
	memset(&r->mail, 0, sizeof r->mail);
	r->threshold = -1;
	r->asked_n = TYPES_N;
	memcpy(r->asked, types_default, sizeof r->asked);
	*why = 0;
	if (request_members(&g)) {
		if (!*why)
			snprintf(why, why_size, "byte %td: %s", g.j.at - data, g.j.problem ? g.j.problem : "this is not JSON");
		return -1;
	}
	if (g.has_content && g.has_fields)
		return request_refuse(&g, "give either email_content, or subject, from and text, not both");
	if (!g.has_content && !g.has_fields)
		return request_refuse(&g, "there is no mail: give email_content, or subject, from and text");
	if (g.has_content)
		mail_of_content(&r->mail, g.content);
	return 0;
}
