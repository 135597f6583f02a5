/* A job that is kept to be made later, again and again: read by the same code as POST /v1/jobs. */
#include "api/api.h"

enum errcode job_template_parse(
	struct submission *s, struct bytes namespace, const struct allow *allow, const char *text, int64_t now_ms)
{
	*s = (struct submission){.namespace = namespace, .allow = allow, .now_ms = now_ms};
	buf_text(&s->body, text);
	enum errcode code = submission_parse(s);
	if (!code && (s->many || s->n != 1))
		code = err_set(&s->error, E_INVALID, "one job is wanted here; with many items one job can fan out to many");
	if (!code && s->specs[0].batch_id)
		code = err_set(&s->error, E_INVALID, "batch: this job stands for itself");
	if (!code)
		code = job_spec_check(
			&s->specs[0], &s->error); /* an input that was submitted once would become a blob if it is large */
	return code;
}
