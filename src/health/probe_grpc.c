/* grpc: grpc.health.v1.Health/Check answers SERVING, or another unary call with an empty message succeeds. HTTP/2 without TLS by
 * libnghttp2; what travels is in gRPC's "gRPC over HTTP2" and in health.proto:
 *   a message is one byte 0, its size in 4 bytes big endian, and protobuf; HealthCheckRequest{string service = 1},
 *   HealthCheckResponse{enum status = 1} where 1 is SERVING; how the call ended is in the trailer grpc-status, 0 for well. */
#include "health/connect.h"
#include "health/probe.h"

#include "base/mem.h"

#include <nghttp2/nghttp2.h>
#include <reeve/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK "/grpc.health.v1.Health/Check"
enum { SERVICE_MAX = 255, REQUEST_MAX = 5 + 3 + SERVICE_MAX, ANSWER_MAX = 4096, SERVING = 1 };

struct grpc_probe {
	struct probe probe;
	uv_tcp_t tcp;
	struct connecting *connecting;
	nghttp2_session *session;
	char address[264], rpc[520];
	uint8_t request[REQUEST_MAX], answer[ANSWER_MAX];
	size_t request_n, sent, answer_n;
	int http_status, grpc_status; /* -1: not said */
	char message[128]; /* grpc-message */
	bool over;
	char room[16384];
};

static void on_closed(uv_handle_t *handle)
{
	struct grpc_probe *x = container_of((uv_tcp_t *)handle, struct grpc_probe, tcp);
	nghttp2_session_del(x->session);
	free(x);
}

static void grpc_close(struct probe *p)
{
	struct grpc_probe *x = container_of(p, struct grpc_probe, probe);
	connect_free(x->connecting);
	uv_close((uv_handle_t *)&x->tcp, on_closed);
}

static const struct probe_ops ops = {grpc_close};

/* ── the answer ── */

/* The status of a HealthCheckResponse; -1: malformed. Fields before it are skipped. */
static int serving_status(const uint8_t *at, size_t n)
{
	const uint8_t *end = at + n;
	while (at < end) {
		uint64_t value = 0;
		uint8_t tag = *at++;
		int shift = 0;
		do {
			if (at == end || shift > 63)
				return -1;
			value |= (uint64_t)(*at & 0x7f) << shift;
			shift += 7;
		} while (*at++ & 0x80);
		if (tag == 0x08)
			return value < 100 ? (int)value : -1;
		if ((tag & 7) == 2) { /* with a length */
			if (value > (size_t)(end - at))
				return -1;
			at += value;
		} else if ((tag & 7) != 0) {
			return -1;
		}
	}
	return 0; /* UNKNOWN, the default, is not written */
}

static const char *serving_word(int status)
{
	static const char *const words[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
	return status >= 0 && status < (int)ARRAY_SIZE(words) ? words[status] : "malformed";
}

static void judge(struct grpc_probe *x)
{
	const uint8_t *a = x->answer;
	size_t size = x->answer_n >= 5 ? (size_t)a[1] << 24 | (size_t)a[2] << 16 | (size_t)a[3] << 8 | a[4] : 0;
	if (x->http_status != 200)
		probe_tell(&x->probe, false, "HTTP status %d", x->http_status);
	else if (x->grpc_status != 0)
		probe_tell(&x->probe, false, "grpc-status %d%s%s", x->grpc_status, *x->message ? ": " : "", x->message);
	else if (strcmp(x->rpc, CHECK) != 0)
		probe_tell(&x->probe, true, "%s succeeded", x->rpc);
	else if (x->answer_n < 5 || a[0] != 0 || size != x->answer_n - 5)
		probe_tell(&x->probe, false, "its answer is no gRPC message");
	else
		probe_tell(&x->probe, serving_status(a + 5, size) == SERVING, "%s", serving_word(serving_status(a + 5, size)));
}

/* ── nghttp2 ── */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
	const uint8_t *value, size_t n, uint8_t flags, void *context)
{
	struct grpc_probe *x = context;
	if (strcmp((const char *)name, ":status") == 0)
		x->http_status = atoi((const char *)value);
	else if (strcmp((const char *)name, "grpc-status") == 0)
		x->grpc_status = atoi((const char *)value);
	else if (strcmp((const char *)name, "grpc-message") == 0)
		snprintf(x->message, sizeof x->message, "%s", (const char *)value);
	return 0;
}

static int on_data(
	nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t n, void *context)
{
	struct grpc_probe *x = context;
	if (n > sizeof x->answer - x->answer_n)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	memcpy(x->answer + x->answer_n, data, n);
	x->answer_n += n;
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context)
{
	((struct grpc_probe *)context)->over = true;
	return 0;
}

static ssize_t give_request(nghttp2_session *session, int32_t stream, uint8_t *into, size_t room, uint32_t *flags,
	nghttp2_data_source *source, void *context)
{
	struct grpc_probe *x = context;
	size_t n = x->request_n - x->sent < room ? x->request_n - x->sent : room;
	memcpy(into, x->request + x->sent, n);
	x->sent += n;
	if (x->sent == x->request_n)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void put_request(struct grpc_probe *x, const char *service)
{
	size_t n = strcmp(x->rpc, CHECK) == 0 && service ? strlen(service) : 0;
	uint8_t *at = x->request + 5;
	if (n) {
		*at++ = 0x0a; /* field 1, a string */
		*at++ = (uint8_t)(n & 0x7f) | (n > 0x7f ? 0x80 : 0);
		if (n > 0x7f)
			*at++ = (uint8_t)(n >> 7);
		memcpy(at, service, n);
		at += n;
	}
	x->request_n = (size_t)(at - x->request);
	x->request[4] = (uint8_t)((x->request_n - 5) & 0xff);
	x->request[3] = (uint8_t)((x->request_n - 5) >> 8);
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void open_session(struct grpc_probe *x)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_client_new(&x->session, callbacks, x);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_nv headers[] = {header(":method", "POST"), header(":scheme", "http"), header(":path", x->rpc),
		header(":authority", x->address), header("te", "trailers"), header("content-type", "application/grpc"),
		header("user-agent", "reeve/" REEVE_VERSION)};
	nghttp2_data_provider body = {.read_callback = give_request};
	nghttp2_submit_settings(x->session, NGHTTP2_FLAG_NONE, NULL, 0);
	nghttp2_submit_request(x->session, NULL, headers, ARRAY_SIZE(headers), &body, NULL);
}

/* ── the connection ── */

/* What fits in the socket's buffer at once always does: a request has some hundred bytes. */
static bool flush(struct grpc_probe *x)
{
	const uint8_t *data;
	ssize_t n;
	while ((n = nghttp2_session_mem_send(x->session, &data)) > 0) {
		uv_buf_t out = uv_buf_init((char *)data, (unsigned)n);
		if (uv_try_write((uv_stream_t *)&x->tcp, &out, 1) != n) {
			probe_tell(&x->probe, false, "%s takes no request", x->address);
			return false;
		}
	}
	return true;
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
	struct grpc_probe *x = container_of((uv_tcp_t *)handle, struct grpc_probe, tcp);
	*out = uv_buf_init(x->room, sizeof x->room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *got)
{
	struct grpc_probe *x = container_of((uv_tcp_t *)stream, struct grpc_probe, tcp);
	if (n < 0)
		probe_tell(
			&x->probe, false, "%s: %s", x->address, n == UV_EOF ? "closed without an answer" : uv_strerror((int)n));
	else if (nghttp2_session_mem_recv(x->session, (const uint8_t *)got->base, (size_t)n) < 0)
		probe_tell(&x->probe, false, "%s does not speak HTTP/2", x->address);
	else if (x->over)
		judge(x);
	else
		flush(x);
}

static void on_connected(void *context, const char *error)
{
	struct grpc_probe *x = context;
	if (error) {
		probe_tell(&x->probe, false, "%s: %s", x->address, error);
		return;
	}
	open_session(x);
	uv_read_start((uv_stream_t *)&x->tcp, on_room, on_read);
	flush(x);
}

struct probe *probe_grpc(struct prober *p, const struct probe_question *q, char why[PROBE_WHY])
{
	struct grpc_probe *x = NEW(struct grpc_probe);
	probe_init(&x->probe, &ops);
	x->http_status = x->grpc_status = -1;
	snprintf(x->address, sizeof x->address, "%s", q->check->address);
	snprintf(x->rpc, sizeof x->rpc, "%s", q->check->rpc ? q->check->rpc : CHECK);
	put_request(x, q->check->service);
	x->connecting = connect_to(prober_loop(p), &x->tcp, x->address, on_connected, x);
	return &x->probe;
}
