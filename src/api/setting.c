/* What is set of queues and namespaces: it holds at once, and is answered when it is on disk. */
#include "api/api.h"

#include "base/mem.h"

#include <stdlib.h>

struct api_setting {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone; it is set all the same */
	void (*answer)(struct api *a, struct http_request *r);
};

static void client_gone(void *data)
{
	((struct api_setting *)data)->request = NULL;
}

struct api_setting *api_setting_new(
	struct api *a, struct http_request *r, void (*answer)(struct api *a, struct http_request *r))
{
	struct api_setting *s = NEW(struct api_setting);
	*s = (struct api_setting){a, r, answer};
	http_set_data(r, s, client_gone);
	return s;
}

void api_setting_done(void *setting, enum errcode code)
{
	struct api_setting *s = setting;
	struct http_request *r = s->request;
	if (r) {
		http_set_data(r, NULL, NULL);
		if (code)
			api_fail(r, code, "it could not be stored (%s)", err_word(code));
		else
			s->answer(s->api, r);
	}
	free(s);
}

/* A burst that nobody named goes with its rate. */
static void forget_burst(json_t *limits, const json_t *change)
{
	if (json_object_get(change, "rate") && !json_object_get(change, "burst"))
		json_object_del(limits, "burst");
}

static json_t *merged(const struct flow_limits *old, json_t *change)
{
	json_t *limits = flow_limits_json(old);
	forget_burst(limits, change);
	forget_burst(json_object_get(limits, "key"), json_object_get(change, "key"));
	json_object_update_recursive(limits, change);
	json_decref(change);
	return limits;
}

bool api_limits_body(struct http_request *r, const struct flow_limits *old, struct flow_limits *out)
{
	char pointer[96] = "";
	struct err e;
	json_t *body;
	if (!api_json_body(r, &body))
		return false;
	if (old)
		body = merged(old, body);
	enum errcode code = flow_limits_read(body, out, pointer, &e);
	json_decref(body);
	if (code)
		http_problem_at(r, http_status_of(code), &e, pointer);
	return code == E_OK;
}
