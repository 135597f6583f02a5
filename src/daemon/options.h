/* options.h - what the command line and the environment say. Flag over environment over file. */
#pragma once
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

struct options {
	const char *config; /* NULL: none; then an empty configuration */
	char data_dir[PATH_MAX]; /* absolute; "": the file may say, else the default */
	char socket[256]; /* "": the same */
	const char *restore; /* a backup's file; NULL: none */
	bool force; /* with it: replace what is there */
	bool doctor, repair;
	bool check, schema, where, version, help;
};

enum errcode options_read(int argc, char **argv, struct options *out, struct err *e);
void options_help(void);
/* Fills what neither command line, environment nor file said: root has /var/lib/reeve and /run/reeve/reeve.sock, others the
 * XDG directories. */
void options_default_data_dir(char out[PATH_MAX]);
void options_default_socket(char out[256]);
