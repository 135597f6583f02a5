/* allow.h - which receivers a callback may reach. A client that names a URL must not reach what only the daemon can: its
 * loopback, the private network, a cloud's metadata service. Read only once it is made: any thread.
 *
 * Without a list every public address may be reached, and no other. A list says all that may be reached:
 *
 *   hooks.example.com   this host, whatever its address is     .example.com   every host below
 *   192.0.2.7           this address                           10.1.0.0/16, fd00::/8   this network
 *   public              every public address
 *
 * Addresses are checked when the connection is made, so neither a name that resolves to 127.0.0.1 nor one whose address
 * changes between the check and the use comes through. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/socket.h>

enum { ALLOW_ENTRIES_MAX = 256 };

struct allow;

struct allow *allow_new(void); /* without a list */
enum errcode allow_add(struct allow *a, const char *entry, struct err *e); /* the list begins, or goes on */
void allow_free(struct allow *a); /* NULL is fine */

/* Before anything is resolved: can this host be right at all? E_DENIED when its text says no. NULL: anything may. */
enum errcode allow_check_host(const struct allow *a, const char *host, struct err *e);
/* The connection to `host` at this address. */
bool allow_address(const struct allow *a, const char *host, const struct sockaddr *address);
