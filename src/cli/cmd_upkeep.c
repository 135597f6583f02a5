/* reeve backup, restore, doctor */
#include "cli/cli.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACES                                                                                                         \
	{"config", 'c', "FILE", "the configuration (default " DEFAULT_CONFIG ", when it is there)"},                       \
	{                                                                                                                  \
		"data-dir", 'd', "DIR", "where jobs, blobs and logs are kept"                                                  \
	}

/* ── backup ── */

static int backup(const struct args *a)
{
	const char *file = a->operands[0];
	struct stat st;
	int code = client_save("/v1/backup", file, "backup");
	if (code || strcmp(file, "-") == 0)
		return code;
	if (stat(file, &st) != 0)
		return complain(EXIT_FAILED, "%s: %m", file);
	if (a->json)
		printf("{\"file\": \"%s\", \"bytes\": %lld}\n", file, (long long)st.st_size);
	else
		printf("%s: %lld bytes; `reeve restore` reads it\n", file, (long long)st.st_size);
	return EXIT_OK;
}

/* ── restore ── */

static const struct option_spec restore_options[] = {
	PLACES, {"force", 'f', NULL, "put it in the place of what is there"}, {0}};

struct restoring {
	json_t *result;
};

static void restore_line(void *context, char *line)
{
	struct restoring *r = context;
	json_t *j = json_loads(line, 0, NULL);
	if (json_object_get(j, "restored")) {
		r->result = json_incref(j);
	} else {
		progress_show("restore", (uint64_t)json_integer_value(json_object_get(j, "done")),
			(uint64_t)json_integer_value(json_object_get(j, "total")), NULL);
	}
	json_decref(j);
}

static void print_restored(const json_t *r)
{
	json_int_t damaged = json_integer_value(json_object_get(r, "damaged"));
	printf("%s: %lld rows and %lld blobs of %s, as of %s\n", json_text(r, "data_dir"),
		(long long)json_integer_value(json_object_get(r, "rows")),
		(long long)json_integer_value(json_object_get(r, "blobs")), json_text(r, "node"), json_text(r, "created_at"));
	if (damaged)
		complain(EXIT_FAILED, "%lld blobs are damaged in the backup and were left out; the first: %s",
			(long long)damaged, json_text(r, "damaged_blob"));
}

static int restore(const struct args *a)
{
	char *argv[12] = {"reeve-engine", "--restore", (char *)a->operands[0]};
	struct restoring r = {0};
	int n = engine_add_places(a, argv, 3);
	if (arg_option(a, "force"))
		argv[n++] = "--force";
	int code = engine_run(argv, restore_line, &r);
	progress_end();
	if (r.result && a->json)
		print_json(r.result);
	else if (r.result)
		print_restored(r.result);
	json_decref(r.result);
	return code;
}

/* ── doctor ── */

static const struct option_spec doctor_options[] = {
	PLACES, {"repair", 'r', NULL, "mend what can be mended without losing anything"}, {0}};

static void doctor_line(void *context, char *line)
{
	json_t *j = json_loads(line, 0, NULL);
	if (json_object_get(j, "check"))
		json_array_append(context, j);
	else
		progress_show("blobs", (uint64_t)json_integer_value(json_object_get(j, "done")),
			(uint64_t)json_integer_value(json_object_get(j, "total")), NULL);
	json_decref(j);
}

static void print_findings(const json_t *all)
{
	static const char *const headings[] = {"CHECK", "STATUS", "FINDING", NULL};
	struct table *t = table_new(headings);
	size_t i;
	json_t *f;
	json_array_foreach(all, i, f)
	{
		table_add(t, json_text(f, "check"));
		table_add(t, json_text(f, "status"));
		table_add(t, json_text(f, "message"));
	}
	table_print(t);
}

static int doctor(const struct args *a)
{
	char *argv[12] = {"reeve-engine", "--doctor"};
	json_t *all = json_array();
	int n = engine_add_places(a, argv, 2);
	if (arg_option(a, "repair"))
		argv[n++] = "--repair";
	int code = engine_run(argv, doctor_line, all);
	progress_end();
	if (a->json)
		print_json(all);
	else if (json_array_size(all))
		print_findings(all);
	json_decref(all);
	return code;
}

const struct command upkeep_commands[] = {
	{"backup", "", "FILE", "Copy everything durable into a file, while the daemon works (- is stdout)", NULL, 1, 1,
		backup},
	{"restore", "", "FILE", "Put a backup into a data directory that no daemon uses (- is stdin)", restore_options, 1,
		1, restore},
	{"doctor", "", "", "Check a data directory: every page, row and blob", doctor_options, 0, 0, doctor},
	{0},
};
