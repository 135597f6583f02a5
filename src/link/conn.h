/* conn.h - one connection of the link on the loop: reads messages, gathers what is written until the end of the turn.
 *
 * Knows frames, not what they mean. Loop thread only; never blocks. A connection ends once: by link_conn_end, by the other
 * side, or by a message that cannot be right; then closed() is called (not for link_conn_drop) and the pointer is dead when it
 * returns. Callbacks may end or drop it. */
#pragma once
#include "wire/message.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct link_conn;

enum { LINK_UNREAD_MAX = 64 << 20 }; /* bytes that wait for the other side to read them; more end the connection */

struct link_conn_events {
	/* NULL, or why the connection must end: the sentence is sent in an ERROR frame. To keep a file of the message, put -1 in
	 * its place; the others are closed. */
	const char *(*message)(void *context, struct wire_message *m);
	void (*closed)(void *context, const char *why);
};

/* Takes fd. The preface is sent. */
struct link_conn *link_conn_open(struct loop *loop, int fd, const struct link_conn_events *events, void *context);
/* Sends ERROR {"code","message"} (not when the other side is gone), then closes. `code` is a stable word. */
void link_conn_end(struct link_conn *c, const char *code, const char *why);
void link_conn_hear(
	struct link_conn *c); /* takes now what the other side said before it died; it may end the connection */
void link_conn_drop(
	struct link_conn *c); /* now, without a word and without closed(); what was put is written if that is possible */

/* Takes the files. When it cannot be sent the connection ends soon; nothing is returned because nobody could do more. */
void link_conn_put(
	struct link_conn *c, uint8_t type, uint64_t id, const struct message_out *m, const int *files, int file_n);
void link_conn_put_json(struct link_conn *c, uint8_t type, uint64_t id, const char *json, size_t size);
void link_conn_put_simple(struct link_conn *c, uint8_t type, uint64_t id, uint64_t fence, int64_t number);

int64_t link_conn_read_at(const struct link_conn *c); /* loop time of the last bytes */
void link_conn_peer(const struct link_conn *c, int *pid, int *uid); /* by the kernel; -1: not known */
