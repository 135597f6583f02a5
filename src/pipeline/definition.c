#include "pipeline/pipeline.h"

#include "base/mem.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#define STEP_ID "\"type\":\"string\",\"minLength\":1,\"maxLength\":64,\"pattern\":\"^[A-Za-z0-9_.-]+$\""

const char pipeline_schema[] =
	"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\",\"steps\"],\"properties\":{"
	"\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128,\"pattern\":\"^[A-Za-z0-9_.-]+$\"},"
	"\"description\":{\"type\":\"string\",\"maxLength\":1024},"
	"\"version\":{\"type\":\"string\",\"maxLength\":64},"
	"\"output\":{" STEP_ID ",\"description\":\"the step whose result is the run's; the last one\"},"
	"\"steps\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":32,\"items\":{"
	"\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\",\"capability\"],\"properties\":{"
	"\"id\":{" STEP_ID "},"
	"\"capability\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128},"
	"\"after\":{" STEP_ID ",\"description\":\"its input is that step's result\"},"
	"\"each\":{" STEP_ID ",\"description\":\"one job for each item of that step, while it still runs\"},"
	"\"gather\":{" STEP_ID
	",\"description\":\"when all jobs of that step are over; its input names a blob with their results\"},"
	"\"with\":{\"type\":\"object\",\"description\":\"members added to its input; not beside `each`\"},"
	"\"in_flight\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100000,\"description\":\"jobs of an `each` step "
	"that are there at once; 256\"},"
	"\"timeout\":{\"type\":\"string\",\"format\":\"duration\"},"
	"\"max_attempts\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}}}}}}";

static char *text_member(const json_t *object, const char *name)
{
	return mem_text(json_string_value(json_object_get(object, name)));
}

static int step_index(const struct pipeline *p, const char *id)
{
	for (int i = 0; i < p->step_n; i++)
		if (strcmp(p->steps[i].id, id) == 0)
			return i;
	return -1;
}

/* Which of after, each, gather stands there; E_INVALID when more than one does. */
static enum errcode read_source(const json_t *member, struct step *s, const char **of, struct err *e)
{
	static const struct {
		const char *name;
		enum step_source source;
	} kinds[] = {{"after", STEP_AFTER}, {"each", STEP_EACH}, {"gather", STEP_GATHER}};

	s->source = STEP_FROM_RUN;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		const char *name = json_string_value(json_object_get(member, kinds[k].name));
		if (!name)
			continue;
		if (*of)
			return err_set(e, E_INVALID, "step \"%s\": only one of after, each, gather may be there", s->id);
		*of = name;
		s->source = kinds[k].source;
	}
	return E_OK;
}

static enum errcode check_source(const struct pipeline *p, const struct step *s, const char *of, struct err *e)
{
	if (s->of < 0)
		return err_set(
			e, E_INVALID, "step \"%s\": there is no earlier step \"%s\"; a step stands after its source", s->id, of);
	const struct step *source = &p->steps[s->of];
	if (s->source == STEP_GATHER && source->source != STEP_EACH)
		return err_set(e, E_INVALID, "step \"%s\": gather needs a step with `each`, \"%s\" has none", s->id, of);
	if (s->source != STEP_GATHER && source->source == STEP_EACH)
		return err_set(e, E_INVALID, "step \"%s\": \"%s\" is many jobs; `gather` is what joins them", s->id, of);
	if (s->source == STEP_EACH && (!strcmp(of, "blob") || !strcmp(of, "items") || !strcmp(of, "items_failed")))
		return err_set(e, E_INVALID,
			"step \"%s\": who gathers could not tell \"%s\" from its own member of that name; "
			"call that step something else",
			s->id, of);
	if (s->source == STEP_EACH)
		for (int i = 0; i < p->step_n; i++)
			if (p->steps[i].source == STEP_EACH && p->steps[i].of == s->of)
				return err_set(
					e, E_INVALID, "step \"%s\": the items of \"%s\" go to \"%s\" already", s->id, of, p->steps[i].id);
	return E_OK;
}

static enum errcode read_step(struct pipeline *p, const json_t *member, struct err *e)
{
	struct step *s = &p->steps[p->step_n];
	s->id = text_member(member, "id");
	s->capability = text_member(member, "capability");
	s->of = -1;
	if (step_index(p, s->id) >= 0) /* step_n does not count s yet */
		return err_set(e, E_INVALID, "step \"%s\": another step has this id", s->id);

	const char *of = NULL;
	enum errcode code = job_name_check("capability", bytes_of(s->capability), e);
	if (code)
		return err_prefix(e, "step \"%s\"", s->id);
	code = read_source(member, s, &of, e);
	if (code)
		return code;
	if (of) {
		s->of = step_index(p, of);
		if ((code = check_source(p, s, of, e)))
			return code;
	}
	const json_t *with = json_object_get(member, "with");
	if (with && s->source == STEP_EACH)
		return err_set(
			e, E_INVALID, "step \"%s\": an item is the input as it is; `with` has no place beside `each`", s->id);
	if (with)
		s->with = json_dumps(with, JSON_COMPACT);
	const json_t *in_flight = json_object_get(member, "in_flight");
	if (in_flight && s->source != STEP_EACH)
		return err_set(e, E_INVALID, "step \"%s\": in_flight needs `each`", s->id);
	s->in_flight = in_flight ? (unsigned)json_integer_value(in_flight) : 256;
	s->max_attempts = (int)json_integer_value(json_object_get(member, "max_attempts"));
	return E_OK;
}

static enum errcode read_timeout(struct step *s, const json_t *member, struct err *e)
{
	const char *text = json_string_value(json_object_get(member, "timeout"));
	if (!text)
		return E_OK;
	enum errcode code = units_duration(bytes_of(text), &s->timeout_ms, e);
	if (code)
		err_prefix(e, "step \"%s\": timeout", s->id);
	if (!code && (s->timeout_ms < 1 || s->timeout_ms > JOB_TIMEOUT_MAX_MS))
		return err_set(e, E_INVALID, "step \"%s\": timeout: \"%s\" must be from 1ms to 7d", s->id, text);
	return code;
}

static enum errcode read_steps(struct pipeline *p, const json_t *definition, struct err *e)
{
	const json_t *steps = json_object_get(definition, "steps");
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *member = json_array_get(steps, i);
		enum errcode code = read_step(p, member, e);
		if (!code)
			code = read_timeout(&p->steps[p->step_n], member, e);
		p->step_n++; /* counted even when bad, so that pipeline_free frees it */
		if (code)
			return code;
	}
	return E_OK;
}

static enum errcode read_output(struct pipeline *p, const json_t *definition, struct err *e)
{
	const char *output = json_string_value(json_object_get(definition, "output"));
	p->output = output ? step_index(p, output) : p->step_n - 1;
	if (p->output < 0)
		return err_set(e, E_INVALID, "output: there is no step \"%s\"", output);
	return E_OK;
}

enum errcode pipeline_parse(const json_t *definition, struct pipeline **out, struct err *e)
{
	struct pipeline *p = NEW(struct pipeline);
	p->name = text_member(definition, "name");
	p->description = text_member(definition, "description");
	p->version = text_member(definition, "version");
	enum errcode code = read_steps(p, definition, e);
	if (!code)
		code = read_output(p, definition, e);
	if (code) {
		err_prefix(e, "pipeline \"%s\"", p->name);
		pipeline_free(p);
		return code;
	}
	*out = p;
	return E_OK;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->step_n; i++) {
		free(p->steps[i].id);
		free(p->steps[i].capability);
		free(p->steps[i].with);
	}
	free(p->name);
	free(p->description);
	free(p->version);
	free(p);
}

static json_t *step_json(const struct pipeline *p, const struct step *s)
{
	static const char *const sources[] = {[STEP_AFTER] = "after", [STEP_EACH] = "each", [STEP_GATHER] = "gather"};
	json_t *j = json_pack("{s:s, s:s}", "id", s->id, "capability", s->capability);
	if (s->of >= 0)
		json_object_set_new(j, sources[s->source], json_string(p->steps[s->of].id));
	if (s->source == STEP_EACH)
		json_object_set_new(j, "in_flight", json_integer(s->in_flight));
	if (s->with)
		json_object_set_new(j, "with", json_loads(s->with, 0, NULL));
	if (s->max_attempts)
		json_object_set_new(j, "max_attempts", json_integer(s->max_attempts));
	if (s->timeout_ms)
		json_object_set_new(j, "timeout", json_sprintf("%lldms", (long long)s->timeout_ms));
	return j;
}

json_t *pipeline_json(const struct pipeline *p)
{
	json_t *steps = json_array();
	for (int i = 0; i < p->step_n; i++)
		json_array_append_new(steps, step_json(p, &p->steps[i]));
	return json_pack("{s:s, s:s*, s:s*, s:s, s:o}", "name", p->name, "description", p->description, "version",
		p->version, "output", p->steps[p->output].id, "steps", steps);
}
