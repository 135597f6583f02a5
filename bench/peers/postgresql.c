/* A table and SKIP LOCKED; the take deletes what it took in the same transaction. */
#include "peers.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUT_1 "INSERT INTO jobs (body) VALUES ($1)"
#define PUT_N "INSERT INTO jobs (body) SELECT $1 FROM generate_series(1, $2::int)"
#define TAKE                                                                                                           \
	"DELETE FROM jobs WHERE id IN (SELECT id FROM jobs ORDER BY id LIMIT $1::int FOR UPDATE SKIP LOCKED) RETURNING "   \
	"body"

static PGresult *good(PGconn *c, PGresult *r)
{
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		give_up("postgresql", PQerrorMessage(c));
	return r;
}

static void run(PGconn *c, const char *sql)
{
	PQclear(good(c, PQexec(c, sql)));
}

/* where: the directory of the server's Unix socket, whose port is 5432. */
static void *open_queue(const char *where)
{
	char text[400];
	snprintf(text, sizeof text, "host=%s user=postgres dbname=postgres", where);
	PGconn *c = PQconnectdb(text);
	if (PQstatus(c) != CONNECTION_OK)
		give_up(where, PQerrorMessage(c));
	run(c, "SET client_min_messages = warning; SELECT pg_advisory_lock(1);"
		   "CREATE TABLE IF NOT EXISTS jobs (id bigserial PRIMARY KEY, body text); SELECT pg_advisory_unlock(1); "
		   "LISTEN q");
	PQclear(good(c, PQprepare(c, "put1", PUT_1, 0, NULL)));
	PQclear(good(c, PQprepare(c, "putn", PUT_N, 0, NULL)));
	PQclear(good(c, PQprepare(c, "take", TAKE, 0, NULL)));
	return c;
}

static void put(void *connection, const char *body, size_t size, unsigned n)
{
	char count[16];
	const char *values[] = {body, count};
	(void)size; /* text ends with its NUL */
	snprintf(count, sizeof count, "%u", n);
	PQclear(
		good(connection, PQexecPrepared(connection, n > 1 ? "putn" : "put1", n > 1 ? 2 : 1, values, NULL, NULL, 0)));
	if (peers_wake)
		run(connection, "NOTIFY q");
}

static void wait_for_notice(PGconn *c)
{
	struct pollfd p = {PQsocket(c), POLLIN, 0};
	PGnotify *n;
	if (poll(&p, 1, peers_wake ? 100 : 1) > 0)
		PQconsumeInput(c);
	while ((n = PQnotifies(c)))
		PQfreemem(n);
}

static unsigned take(void *connection, unsigned most, peer_visit *visit, void *context)
{
	char count[16];
	const char *values[] = {count};
	snprintf(count, sizeof count, "%u", most);
	PGresult *r = good(connection, PQexecPrepared(connection, "take", 1, values, NULL, NULL, 0));
	int n = PQntuples(r);
	for (int i = 0; i < n; i++)
		visit(context, PQgetvalue(r, i, 0), (size_t)PQgetlength(r, i, 0));
	PQclear(r);
	if (!n)
		wait_for_notice(connection);
	return (unsigned)n;
}

const struct peer peer_postgresql = {"postgresql", open_queue, put, take};
