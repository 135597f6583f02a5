#include "callback/target.h"

#include "base/json_span.h"
#include "base/mem.h"
#include "callback/callback.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <strings.h>

/* ── the URL ── */

/* Only what stands for itself: a URL with other characters means different things to different readers. */
static bool plain(struct bytes url)
{
	for (size_t i = 0; i < url.size; i++) {
		if (url.data[i] <= 0x20 || url.data[i] >= 0x7f)
			return false;
	}
	return true;
}

static enum errcode part(CURLU *u, CURLUPart which, char *out, size_t room)
{
	char *text = NULL;
	if (curl_url_get(u, which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return E_NOT_FOUND;
	size_t n = strlen(text);
	if (n < room)
		memcpy(out, text, n + 1);
	curl_free(text);
	return n < room ? E_OK : E_TOO_LARGE;
}

static uint64_t hash(const char *host, const char *port)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a; two hosts of one hash would only share a limit */
	for (const char *at = host; *at; at++)
		h = (h ^ (unsigned char)*at) * 1099511628211ULL;
	for (const char *at = port; *at; at++)
		h = (h ^ (unsigned char)*at) * 1099511628211ULL;
	return h ? h : 1;
}

static enum errcode read_parts(CURLU *u, const char *url, struct target *out, struct err *e)
{
	char scheme[8] = "", user[8], port[8] = "";
	if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return err_set(e, E_INVALID, "url \"%.100s\": is no URL; \"https://host/path\" would be", url);
	part(u, CURLUPART_SCHEME, scheme, sizeof scheme);
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		return err_set(e, E_INVALID, "url \"%.100s\": must begin with http:// or https://", url);
	if (part(u, CURLUPART_USER, user, sizeof user) != E_NOT_FOUND ||
		part(u, CURLUPART_PASSWORD, user, sizeof user) != E_NOT_FOUND)
		return err_set(e, E_INVALID, "url: has a user or a password in it; what proves who you are goes into headers");
	if (part(u, CURLUPART_HOST, out->host, sizeof out->host) != E_OK || !out->host[0])
		return err_set(e, E_INVALID, "url \"%.100s\": its host is missing or longer than 255 bytes", url);
	for (char *at = out->host; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	part(u, CURLUPART_PORT, port, sizeof port);
	out->host_hash = hash(out->host, port);
	return E_OK;
}

static enum errcode read_url(struct bytes value, struct target *out, struct err *e)
{
	if (json_span_kind(value) != '"' || !json_span_string(value, &out->url) || !out->url.size)
		return err_set(e, E_INVALID, "url: is not a string with something in it");
	if (out->url.size > CALLBACK_URL_MAX)
		return err_set(e, E_TOO_LARGE, "url: has %zu bytes, must have at most %d", out->url.size, CALLBACK_URL_MAX);
	if (!plain(buf_bytes(&out->url)))
		return err_set(
			e, E_INVALID, "url \"%.100s\": has a space or a character that must be percent-encoded", out->url.data);
	CURLU *u = curl_url();
	enum errcode code = u ? read_parts(u, out->url.data, out, e) : err_set(e, E_NO_MEMORY, "no memory");
	curl_url_cleanup(u);
	return code;
}

/* ── headers ── */

static bool is_token(struct bytes name)
{
	for (size_t i = 0; i < name.size; i++) {
		if (!isalnum((unsigned char)name.data[i]) && !memchr("!#$%&'*+-.^_`|~", name.data[i], 15))
			return false;
	}
	return name.size > 0 && name.size <= JOB_NAME_MAX;
}

/* What we say ourselves, and what would change how the message is read. */
static bool is_ours(struct bytes name)
{
	static const char *const ours[] = {"host", "content-length", "content-type", "transfer-encoding", "connection",
		"upgrade", "expect", "te", "trailer", "keep-alive", "user-agent"};
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		if (name.size == strlen(ours[i]) && strncasecmp(name.data, ours[i], name.size) == 0)
			return true;
	}
	return (name.size >= 6 && strncasecmp(name.data, "reeve-", 6) == 0) ||
		   (name.size >= 6 && strncasecmp(name.data, "proxy-", 6) == 0);
}

static bool is_value(struct bytes value)
{
	for (size_t i = 0; i < value.size; i++) {
		if (((unsigned char)value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7f)
			return false;
	}
	return value.size > 0 && value.size <= CALLBACK_HEADER_VALUE_MAX;
}

static enum errcode read_headers(struct bytes value, struct target *out, struct err *e)
{
	struct json_member m[CALLBACK_HEADERS_MAX];
	size_t n;
	if (json_span_members(value, m, CALLBACK_HEADERS_MAX, &n, e) != E_OK)
		return err_prefix(e, "headers");
	for (size_t i = 0; i < n; i++) {
		scoped(buf_fini) struct buf text = {0};
		int size = (int)(m[i].key.size < 64 ? m[i].key.size : 64);
		if (!is_token(m[i].key))
			return err_set(e, E_INVALID, "headers: \"%.*s\" is no header's name", size, m[i].key.data);
		if (is_ours(m[i].key))
			return err_set(e, E_INVALID, "headers: %.*s is set by reeve itself", size, m[i].key.data);
		if (json_span_kind(m[i].value) != '"' || !json_span_string(m[i].value, &text) || !is_value(buf_bytes(&text)))
			return err_set(e, E_INVALID, "headers: the value of %.*s is not a line of 1 to %d bytes", size,
				m[i].key.data, CALLBACK_HEADER_VALUE_MAX);
	}
	out->headers = n ? value : (struct bytes){0};
	return E_OK;
}

bool target_next_header(struct bytes headers, size_t *at, struct buf *line)
{
	struct json_member m[CALLBACK_HEADERS_MAX];
	size_t n;
	if (!headers.size || json_span_members(headers, m, CALLBACK_HEADERS_MAX, &n, NULL) != E_OK || *at >= n)
		return false;
	buf_clear(line);
	buf_format(line, "%.*s: ", (int)m[*at].key.size, m[*at].key.data);
	return json_span_string(m[(*at)++].value, line);
}

/* ── the whole ── */

static enum errcode read_members(struct bytes text, struct target *out, struct err *e)
{
	struct json_member m[2];
	size_t n;
	enum errcode code = json_span_members(text, m, ARRAY_SIZE(m), &n, e);
	if (code)
		return code;
	for (size_t i = 0; i < n; i++) {
		if (!bytes_equal(m[i].key, bytes_of("url")) && !bytes_equal(m[i].key, bytes_of("headers")))
			return err_set(e, E_INVALID, "unknown member \"%.*s\"; a callback has url and headers",
				(int)(m[i].key.size < 64 ? m[i].key.size : 64), m[i].key.data);
	}
	const struct bytes *url = json_span_find(m, n, "url"), *headers = json_span_find(m, n, "headers");
	if (!url)
		return err_set(e, E_INVALID, "url: is missing");
	code = read_url(*url, out, e);
	return code || !headers ? code : read_headers(*headers, out, e);
}

enum errcode target_read(struct bytes text, struct target *out, struct err *e)
{
	struct target t = {0};
	if (text.size > JOB_CALLBACK_MAX_BYTES)
		return err_set(e, E_TOO_LARGE, "has %zu bytes, must have at most %d", text.size, JOB_CALLBACK_MAX_BYTES);
	enum errcode code = read_members(text, &t, e);
	if (code)
		target_fini(&t);
	else
		*out = t;
	return code;
}

void target_fini(struct target *t)
{
	buf_fini(&t->url);
}

enum errcode callback_check(const struct allow *allow, struct bytes text, struct err *e)
{
	struct target t;
	enum errcode code = target_read(text, &t, e);
	if (!code) {
		code = allow_check_host(allow, t.host, e);
		target_fini(&t);
	}
	if (code)
		err_prefix(e, "callback");
	return code;
}
