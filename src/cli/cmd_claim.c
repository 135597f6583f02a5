/* reeve claim ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>

static long long number(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

static void print_claims(const json_t *claims)
{
	static const char *const headings[] = {
		"JOB", "NAMESPACE", "CAPABILITY", "CLIENT", "ATTEMPT", "HELD FOR", "LEASE UNTIL", NULL};
	struct table *t = table_new(headings);
	size_t i;
	json_t *c;
	json_array_foreach(claims, i, c)
	{
		scoped(mem_free_at) char *held = ago(json_object_get(c, "claimed_at"));
		table_add(t, json_text(c, "job_id"));
		table_add(t, json_text(c, "namespace"));
		table_add(t, json_text(c, "capability"));
		table_add(t, json_text(c, "client"));
		table_addf(t, "%lld", number(c, "attempt"));
		table_add(t, held);
		table_add(t, json_text(c, "lease_until"));
	}
	table_print(t);
}

static void print_clients(const json_t *clients)
{
	static const char *const headings[] = {
		"CLIENT", "HELD", "WAITING", "COMPLETED", "FAILED", "EXPIRED", "LAST CONTACT", "CAPABILITIES", NULL};
	struct table *t = table_new(headings);
	size_t i, k;
	json_t *c, *name;
	json_array_foreach(clients, i, c)
	{
		scoped(mem_free_at) char *last = ago(json_object_get(c, "last_contact"));
		scoped(buf_fini) struct buf names = {0};
		json_array_foreach(json_object_get(c, "capabilities"), k, name)
			buf_format(&names, "%s%s", k ? " " : "", json_string_value(name));
		table_add(t, json_text(c, "client"));
		table_addf(t, "%lld", number(c, "held"));
		table_addf(t, "%lld", number(c, "waiting"));
		table_addf(t, "%lld", number(c, "completed_total"));
		table_addf(t, "%lld", number(c, "failed_total"));
		table_addf(t, "%lld", number(c, "expired_total"));
		table_add(t, last);
		table_add(t, names.data);
	}
	table_print(t);
}

static const struct option_spec list_options[] = {
	{"limit", 'l', "N", "at most so many claims (default 100)"},
	{0},
};

static int show(const struct args *a, const char *path, const char *member, void (*print)(const json_t *list))
{
	struct reply r;
	int code;
	if (!client_show(a, path, &r, &code))
		return code;
	print(json_object_get(r.json, member));
	reply_fini(&r);
	return EXIT_OK;
}

static int claim_list(const struct args *a)
{
	scoped(buf_fini) struct buf path = {0};
	buf_text(&path, "/v1/claims");
	url_add_option(&path, a, "limit");
	return show(a, path.data, "claims", print_claims);
}

static int claim_clients(const struct args *a)
{
	return show(a, "/v1/claims", "clients", print_clients);
}

static const struct option_spec run_options[] = {
	{"namespace", 'n', "NAME", "whose jobs (default `default`)"},
	{"lease", 0, "DURATION", "a silent command is given up after so long (default 30s)"},
	{"client", 0, "NAME", "what `reeve claim clients` calls it (default the process's id)"},
	{"jobs", 'j', "N", "end after so many jobs (default never)"},
	{0},
};

const struct command claim_commands[] = {
	{"claim", "list", "", "List the jobs that pull clients have in hand", list_options, 0, 0, claim_list},
	{"claim", "clients", "", "List who pulls jobs, with its last contact", NULL, 0, 0, claim_clients},
	{"claim", "run", "CAPABILITY -- COMMAND...",
		"Pull jobs and run a command for each: input on stdin, result from stdout", run_options, 2, -1, claim_run},
	{0},
};
