/* The schedules of the file. */
#include "api/api.h"
#include "daemon/settings.h"

#include "base/mem.h"
#include "config/config.h"

#include <stdio.h>
#include <string.h>

static enum errcode check_name(
	const struct settings *s, const struct schedule_definition *d, char pointer[64], struct err *e)
{
	for (size_t i = 0; i < s->schedule_n; i++) {
		if (strcmp(s->schedules[i]->name, d->name) != 0 || strcmp(s->schedules[i]->namespace, d->namespace) != 0)
			continue;
		snprintf(pointer, 64, "/name");
		return err_set(e, E_INVALID, "\"%s\": another schedule has this name", d->name);
	}
	return E_OK;
}

static enum errcode check_pipeline(
	const struct settings *s, const struct schedule_definition *d, char pointer[64], struct err *e)
{
	for (size_t i = 0; i < s->pipeline_n; i++)
		if (strcmp(s->pipelines[i]->name, d->pipeline) == 0)
			return E_OK;
	snprintf(pointer, 64, "/run/pipeline");
	return err_set(e, E_INVALID, "there is no pipeline \"%s\"", d->pipeline);
}

static enum errcode check_job(
	const struct settings *s, const struct schedule_definition *d, char pointer[64], struct err *e)
{
	struct submission job;
	scoped(mem_free_at) char *text = schedule_job(d, 0);
	enum errcode code = job_template_parse(&job, bytes_of(d->namespace), s->callbacks.allow, text, 0);
	snprintf(pointer, 64, "/job%.32s", job.pointer);
	if (code)
		err_set(e, code, "%s", job.error.text);
	submission_fini(&job);
	return code;
}

enum errcode settings_read_schedules(struct settings *s, const struct config *c, struct err *e)
{
	const json_t *schedules = json_object_get(config_json(c), "schedules");
	s->schedules = mem_new(json_array_size(schedules) * sizeof(struct schedule_definition *));
	for (size_t i = 0; i < json_array_size(schedules); i++) {
		char at[64], pointer[128];
		struct err why;
		struct schedule_definition *d = NULL;
		enum errcode code = schedule_parse(json_array_get(schedules, i), &d, at, &why);
		if (!code)
			code = check_name(s, d, at, &why);
		if (!code)
			code = d->makes_job ? check_job(s, d, at, &why) : check_pipeline(s, d, at, &why);
		if (code) {
			schedule_definition_free(d);
			snprintf(pointer, sizeof pointer, "/schedules/%zu%s", i, at);
			return config_error(c, pointer, e, "%s", why.text);
		}
		s->schedules[s->schedule_n++] = d;
	}
	return E_OK;
}
