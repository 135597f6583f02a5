#include "cli/cli.h"

#include "base/mem.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 30 /* an engine that died is started again; one with a long history takes a while to read it */

const char *client_socket;
static bool patient; /* nobody there: the caller asks again before it complains */

static const char *socket_path(void)
{
	static char path[256];
	if (client_socket && *client_socket)
		return client_socket;
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (geteuid() == 0 || !runtime)
		return "/run/reeve/reeve.sock";
	snprintf(path, sizeof path, "%s/reeve/reeve.sock", runtime);
	return path;
}

static int exit_code_of(int status)
{
	static const struct {
		int status, code;
	} table[] = {{404, EXIT_UNKNOWN}, {429, EXIT_TRY_AGAIN}, {503, EXIT_TRY_AGAIN}, {507, EXIT_TRY_AGAIN}};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].status == status)
			return table[i].code;
	return status < 400 ? EXIT_OK : EXIT_FAILED;
}

static CURL *open_request(const char *method, const char *path)
{
	static bool ready;
	if (!ready)
		curl_global_init(CURL_GLOBAL_DEFAULT);
	ready = true;
	CURL *curl = curl_easy_init();
	char url[1024];
	snprintf(url, sizeof url, "http://reeve%s", path);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path());
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	return curl;
}

static size_t keep_body(char *data, size_t size, size_t n, void *context)
{
	buf_add(context, data, size * n);
	return size * n;
}

static int unreachable(CURLcode code)
{
	return complain(EXIT_UNREACHABLE, "the daemon cannot be reached at %s: %s (is it running? `reeve up` starts it)",
		socket_path(), curl_easy_strerror(code));
}

/* RFC 9457: {"title","detail",...} */
static void print_problem(const struct reply *r)
{
	const char *detail = json_string_value(json_object_get(r->json, "detail"));
	const char *title = json_string_value(json_object_get(r->json, "title"));
	fprintf(stderr, "reeve: %s\n",
		detail		   ? detail
		: title		   ? title
		: r->body.size ? r->body.data
					   : "the daemon refused without a reason");
}

static CURLcode last_code; /* of the last request: why nobody answered */

static int finish(CURL *curl, CURLcode code, struct reply *r)
{
	long status = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	last_code = code;
	if (code != CURLE_OK) {
		reply_fini(r);
		return patient ? EXIT_UNREACHABLE : unreachable(code);
	}
	r->status = (int)status;
	r->json = json_loadb(r->body.data ? r->body.data : "", r->body.size, JSON_DECODE_ANY, NULL);
	if (status < 400)
		return EXIT_OK;
	print_problem(r);
	reply_fini(r);
	return exit_code_of((int)status);
}

int client_request(const char *method, const char *path, const char *content_type, struct bytes body, struct reply *r)
{
	*r = (struct reply){0};
	CURL *curl = open_request(method, path);
	char header[128];
	snprintf(header, sizeof header, "Content-Type: %s", content_type ? content_type : "application/json");
	struct curl_slist *headers = curl_slist_append(NULL, header);
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (body.data) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data);
	} else if (strcmp(method, "GET") != 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	}
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r->body);
	CURLcode code = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	return finish(curl, code, r);
}

int client_get(const char *path, struct reply *r)
{
	return client_request("GET", path, NULL, (struct bytes){0}, r);
}

int client_do(const struct args *a, const char *method, const char *path)
{
	struct reply r;
	int code = client_request(method, path, NULL, (struct bytes){0}, &r);
	if (code)
		return code;
	if (a->json && r.json)
		print_json(r.json);
	reply_fini(&r);
	return EXIT_OK;
}

void client_print_more(const struct reply *r)
{
	if (json_is_string(json_object_get(r->json, "cursor")))
		printf("more: --cursor %s\n", json_text(r->json, "cursor"));
}

bool client_show(const struct args *a, const char *path, struct reply *r, int *code)
{
	*code = client_get(path, r);
	if (*code || !a->json)
		return !*code;
	print_json(r->json);
	reply_fini(r);
	return false;
}

static int request_patiently(const char *method, const char *path, struct bytes body, struct reply *r)
{
	time_t until = time(NULL) + PATIENCE_S;
	int code;
	patient = true;
	while ((code = client_request(method, path, NULL, body, r)) == EXIT_UNREACHABLE && time(NULL) < until)
		poll(NULL, 0, 100);
	patient = false;
	return code == EXIT_UNREACHABLE ? unreachable(last_code) : code;
}

int client_get_patiently(const char *path, struct reply *r)
{
	return request_patiently("GET", path, (struct bytes){0}, r);
}

int client_post_patiently(const char *path, struct bytes body, struct reply *r)
{
	return request_patiently("POST", path, body, r);
}

bool client_reachable(const char *probe)
{
	struct buf ignored = {0};
	CURL *curl = open_request("GET", probe);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ignored);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 5L);
	long status = 0;
	bool ok = curl_easy_perform(curl) == CURLE_OK &&
			  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200;
	curl_easy_cleanup(curl);
	buf_fini(&ignored);
	return ok;
}

void reply_fini(struct reply *r)
{
	json_decref(r->json);
	buf_fini(&r->body);
	*r = (struct reply){0};
}

char *url_path(const char *before, const char *operand, const char *after)
{
	struct buf path = {0};
	char *escaped = curl_easy_escape(NULL, operand, 0);
	buf_format(&path, "%s%s%s", before, escaped, after);
	curl_free(escaped);
	return buf_take(&path);
}

void url_add_option(struct buf *path, const struct args *a, const char *name)
{
	url_add_value(path, name, arg_option(a, name));
}

void url_add_value(struct buf *path, const char *name, const char *value)
{
	if (!value)
		return;
	scoped(mem_free_at) char *escaped = url_path("", value, "");
	buf_format(path, "%c%s=%s", strchr(path->data, '?') ? '&' : '?', name, escaped);
}

/* ── files ── */

struct upload {
	FILE *file;
	uint64_t done, total; /* total 0: not known */
	const char *label; /* of the progress that is shown, or NULL */
};

static size_t read_piece(char *data, size_t size, size_t n, void *context)
{
	struct upload *u = context;
	size_t got = fread(data, 1, size * n, u->file);
	u->done += got;
	if (u->label)
		progress_show(u->label, u->done, u->total, NULL);
	return ferror(u->file) ? CURL_READFUNC_ABORT : got;
}

static int upload_open(const char *file, struct upload *u)
{
	struct stat st;
	u->file = strcmp(file, "-") == 0 ? stdin : fopen(file, "rb");
	if (!u->file || fstat(fileno(u->file), &st) != 0)
		return complain(EXIT_FAILED, "%s: %m", file);
	if (S_ISDIR(st.st_mode)) {
		fclose(u->file);
		return complain(EXIT_FAILED, "%s: is a directory; a file is needed", file);
	}
	u->total = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	return EXIT_OK;
}

/* Sends the file as the body of the request; the answer goes where the caller has said. */
static CURLcode upload_send(struct upload *u, CURL *curl, const char *content_type)
{
	char type[128];
	snprintf(type, sizeof type, "Content-Type: %s", content_type);
	struct curl_slist *headers = curl_slist_append(NULL, type);
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, u->total ? (curl_off_t)u->total : (curl_off_t)-1);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_piece);
	curl_easy_setopt(curl, CURLOPT_READDATA, u);
	CURLcode code = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	if (u->file != stdin)
		fclose(u->file);
	progress_end();
	return code;
}

int client_upload(const char *file, char **blob, bool progress)
{
	struct upload u = {.label = progress ? "upload" : NULL};
	struct reply r = {0};
	int result = upload_open(file, &u);
	if (result)
		return result;
	CURL *curl = open_request("POST", "/v1/blobs");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r.body);
	result = finish(curl, upload_send(&u, curl, "application/octet-stream"), &r);
	if (!result)
		*blob = mem_text(json_string_value(json_object_get(r.json, "blob")));
	reply_fini(&r);
	return result;
}

struct follow {
	CURL *curl;
	struct buf line, problem;
	bool (*each)(void *context, struct bytes line);
	void *context;
	bool stopped;
};

static size_t split_lines(char *data, size_t size, size_t n, void *context)
{
	struct follow *f = context;
	long status = 0;
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return keep_body(data, size, n, &f->problem);
	for (size_t i = 0; i < size * n; i++) {
		if (data[i] != '\n') {
			buf_add(&f->line, data + i, 1);
			continue;
		}
		if (!f->each(f->context, buf_bytes(&f->line))) {
			f->stopped = true;
			return 0;
		}
		buf_clear(&f->line);
	}
	return size * n;
}

int client_send_lines(const char *path, const char *file, bool (*line)(void *, struct bytes), void *context)
{
	struct upload u = {.label = "submit"};
	int result = upload_open(file, &u);
	if (result)
		return result;
	struct follow f = {.curl = open_request("POST", path), .each = line, .context = context};
	curl_easy_setopt(f.curl, CURLOPT_WRITEFUNCTION, split_lines);
	curl_easy_setopt(f.curl, CURLOPT_WRITEDATA, &f);
	CURLcode code = upload_send(&u, f.curl, "application/x-ndjson");
	struct reply r = {.body = f.problem};
	result = finish(f.curl, code, &r);
	reply_fini(&r);
	buf_fini(&f.line);
	return result;
}

struct download {
	FILE *file;
	CURL *curl;
	struct buf problem;
	const char *label; /* of the bar, or NULL */
	uint64_t done, total;
};

/* "X-Estimated-Length: n" of an answer that is made as it is sent. */
static size_t read_header(char *data, size_t size, size_t n, void *context)
{
	static const char name[] = "x-estimated-length:";
	struct download *d = context;
	if (size * n > sizeof name && strncasecmp(data, name, sizeof name - 1) == 0)
		d->total = strtoull(data + sizeof name - 1, NULL, 10);
	return size * n;
}

static size_t write_piece(char *data, size_t size, size_t n, void *context)
{
	struct download *d = context;
	long status = 0;
	curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return keep_body(data, size, n, &d->problem);
	d->done += size * n;
	if (d->label)
		progress_show(d->label, d->done, d->total, NULL);
	return fwrite(data, 1, size * n, d->file);
}

static FILE *create(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	return fd >= 0 ? fdopen(fd, "wb") : NULL;
}

static int download(const char *path, const char *file, const char *label)
{
	bool to_stdout = strcmp(file, "-") == 0;
	scoped(buf_fini) struct buf temporary = {0};
	buf_format(&temporary, "%s.part", file);
	if (label)
		unlink(temporary.data); /* an older one may be open to others */
	struct download d = {.file = to_stdout ? stdout : create(temporary.data, label ? 0600 : 0666),
		.curl = open_request("GET", path),
		.label = label};
	if (!d.file) {
		curl_easy_cleanup(d.curl);
		return complain(EXIT_FAILED, "%s: %m", temporary.data);
	}
	curl_easy_setopt(d.curl, CURLOPT_WRITEFUNCTION, write_piece);
	curl_easy_setopt(d.curl, CURLOPT_WRITEDATA, &d);
	curl_easy_setopt(d.curl, CURLOPT_HEADERFUNCTION, read_header);
	curl_easy_setopt(d.curl, CURLOPT_HEADERDATA, &d);
	CURLcode code = curl_easy_perform(d.curl);
	progress_end();
	bool written = fflush(d.file) == 0 && (!label || to_stdout || fsync(fileno(d.file)) == 0);
	if (!to_stdout)
		written = fclose(d.file) == 0 && written;
	struct reply r = {.body = d.problem};
	int result = code == CURLE_WRITE_ERROR || !written ? complain(EXIT_FAILED, "%s: %m", file) : EXIT_OK;
	int answer = finish(d.curl, code == CURLE_WRITE_ERROR ? CURLE_OK : code, &r);
	reply_fini(&r);
	result = result ? result : answer;
	if (to_stdout)
		return result;
	if (result)
		unlink(temporary.data);
	else if (rename(temporary.data, file) != 0)
		result = complain(EXIT_FAILED, "%s: %m", file);
	return result;
}

int client_download(const char *path, const char *file)
{
	return download(path, file, NULL);
}

int client_save(const char *path, const char *file, const char *label)
{
	return download(path, file, label);
}

int client_follow(const char *path, bool (*line)(void *, struct bytes), void *context)
{
	struct follow f = {.curl = open_request("GET", path), .each = line, .context = context};
	curl_easy_setopt(f.curl, CURLOPT_WRITEFUNCTION, split_lines);
	curl_easy_setopt(f.curl, CURLOPT_WRITEDATA, &f);
	CURLcode code = curl_easy_perform(f.curl);
	struct reply r = {.body = f.problem};
	int result = finish(f.curl, f.stopped ? CURLE_OK : code, &r);
	reply_fini(&r);
	buf_fini(&f.line);
	return result;
}
