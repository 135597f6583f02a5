#include "process/exec_config.h"

static void add(struct buf *b, const char *name, const char *text)
{
	if (text) {
		buf_format(b, "\"%s\":", name);
		buf_json_string(b, bytes_of(text));
		buf_add(b, ",", 1);
	}
}

void exec_config_format(const struct worker *w, struct buf *b)
{
	buf_text(b, "{\"exec\":[");
	for (size_t n = 0; n < w->exec_n; n++) {
		const struct worker_exec *x = &w->execs[n];
		buf_text(b, n ? ",{" : "{");
		add(b, "capability", x->capability);
		add(b, "version", x->version);
		add(b, "summary", x->summary);
		buf_format(b, "\"binary\":%s,\"command\":[", x->binary ? "true" : "false");
		for (char **c = x->command; *c; c++) {
			buf_text(b, c == x->command ? "" : ",");
			buf_json_string(b, bytes_of(*c));
		}
		buf_text(b, "]}");
	}
	buf_text(b, "]}");
}
