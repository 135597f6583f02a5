#include "daemon/options.h"

#include "os/path.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void options_help(void)
{
	printf("reeve-engine: what reeved keeps alive. Usually started by it; `reeve up` starts both.\n\n"
		   "Usage: reeve-engine [--config FILE] [--data-dir DIR] [--socket PATH]\n"
		   "       reeve-engine --check --config FILE    errors as file:line:column\n"
		   "       reeve-engine --where [as above]       the data directory and the socket, a line each\n"
		   "       reeve-engine --restore FILE [--force] a backup into the data directory\n"
		   "       reeve-engine --doctor [--repair]      checks the data directory\n"
		   "       reeve-engine --schema                 the configuration's JSON Schema\n");
}

static enum errcode fits(int written, size_t size, const char *what, struct err *e)
{
	return written >= 0 && (size_t)written < size
			   ? E_OK
			   : err_set(e, E_TOO_LARGE, "%s: its path is longer than %zu bytes", what, size - 1);
}

/* Workers are started in folders of their own: what they are told must not depend on where we are. */
static enum errcode absolute(const char *path, char out[PATH_MAX], struct err *e)
{
	char here[PATH_MAX];
	if (!getcwd(here, sizeof here))
		return err_set(e, E_IO, "the current directory is gone");
	enum errcode code = path_join(out, PATH_MAX - 256, here, path, e);
	if (code)
		err_prefix(e, "--data-dir");
	return code;
}

enum errcode options_read(int argc, char **argv, struct options *out, struct err *e)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
		{"data-dir", required_argument, NULL, 'd'}, {"socket", required_argument, NULL, 's'},
		{"restore", required_argument, NULL, 'r'}, {"force", no_argument, NULL, 'f'},
		{"doctor", no_argument, NULL, 'D'}, {"repair", no_argument, NULL, 'R'}, {"check", no_argument, NULL, 'k'},
		{"where", no_argument, NULL, 'w'}, {"schema", no_argument, NULL, 'S'}, {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'}, {0}};
	const char *socket = getenv("REEVE_SOCKET");
	enum errcode code =
		socket ? fits(snprintf(out->socket, sizeof out->socket, "%s", socket), 108, "REEVE_SOCKET", e) : E_OK;
	for (int got; !code && (got = getopt_long(argc, argv, "c:d:s:h", longs, NULL)) != -1;) {
		switch (got) {
		case 'c':
			out->config = optarg;
			break;
		case 'd':
			code = absolute(optarg, out->data_dir, e);
			break;
		case 's': /* 108 bytes is what a Unix socket's address holds (unix(7)) */
			code = fits(snprintf(out->socket, sizeof out->socket, "%s", optarg), 108, "--socket", e);
			break;
		case 'r':
			out->restore = optarg;
			break;
		case 'f':
			out->force = true;
			break;
		case 'D':
			out->doctor = true;
			break;
		case 'R':
			out->repair = true;
			break;
		case 'k':
			out->check = true;
			break;
		case 'w':
			out->where = true;
			break;
		case 'S':
			out->schema = true;
			break;
		case 'v':
			out->version = true;
			break;
		case 'h':
			out->help = true;
			break;
		default:
			return err_set(e, E_INVALID, "see reeve-engine --help");
		}
	}
	if (!code && optind < argc)
		return err_set(e, E_INVALID, "unexpected argument \"%s\"; see reeve-engine --help", argv[optind]);
	return code;
}

void options_default_data_dir(char out[PATH_MAX])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (geteuid() == 0)
		snprintf(out, PATH_MAX, "/var/lib/reeve");
	else if (state && *state)
		snprintf(out, PATH_MAX, "%s/reeve", state);
	else
		snprintf(out, PATH_MAX, "%s/.local/state/reeve", home ? home : ".");
}

void options_default_socket(char out[256])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (geteuid() == 0 || !runtime)
		snprintf(out, 256, "/run/reeve/reeve.sock");
	else
		snprintf(out, 256, "%s/reeve/reeve.sock", runtime);
}
