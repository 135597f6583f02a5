/* probe.h - one question asked of one server, command or process. The file of each kind says what well means there. */
#pragma once
#include "http/client.h"
#include "loop/loop.h"
#include "worker/instance.h"

struct prober; /* what probes share: the loop, the HTTP client */
struct prober *prober_new(struct loop *l);
void prober_free(struct prober *p); /* no probe is under way */

enum { PROBE_WHY = 256 };
typedef void probe_done(void *context, bool ok, const char *why);

struct probe {
	const struct probe_ops *ops;
	struct prober *prober;
	struct loop_timer *limit;
	probe_done *done; /* NULL: cancelled or told */
	void *context;
};

struct probe_ops {
	void (*close)(struct probe *p); /* ends what is under way, and frees p, now or later */
};

struct probe_question { /* borrowed for the call */
	const struct health_check *check;
	const char *url; /* http: whole */
	const struct instance *instance; /* exec, process: its directory, environment, pid */
};

/* `done` is called once, later, on the loop thread, within check->timeout_ms; not after probe_cancel. NULL: it cannot even be
 * asked, and `why` says so. */
struct probe *probe_ask(
	struct prober *p, const struct probe_question *q, probe_done *done, void *context, char why[PROBE_WHY]);
void probe_cancel(struct probe *p); /* NULL is fine */

/* ── for the kinds ── */
void probe_init(struct probe *p, const struct probe_ops *ops); /* the rest of it is set by probe_ask */
/* Tells, once, and closes p: do not touch it afterwards. */
void probe_tell(struct probe *p, bool ok, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "host:port" in two; the host without the brackets of an IPv6 address. */
void probe_split(const char *address, char host[256], char port[8]);

struct loop *prober_loop(struct prober *p);
struct http_client *prober_http(struct prober *p);

/* Each: NULL and `why` when it cannot be asked. */
struct probe *probe_http(struct prober *p, const struct probe_question *q, char why[PROBE_WHY]);
struct probe *probe_tcp(struct prober *p, const struct probe_question *q, char why[PROBE_WHY]);
struct probe *probe_grpc(struct prober *p, const struct probe_question *q, char why[PROBE_WHY]);
struct probe *probe_exec(struct prober *p, const struct probe_question *q, char why[PROBE_WHY]);
struct probe *probe_process(struct prober *p, const struct probe_question *q, char why[PROBE_WHY]);
