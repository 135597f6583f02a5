/* frame.h - the link's frames: what stands on the wire between an engine and a worker or client. Little-endian.
 *
 *   preface   "REEVE\0"  u16 major version  u64 feature bits        both sides send it first, without waiting
 *   frame     u32 length of payload  u8 type  u8 flags  u16 descriptors  u64 id  payload
 *
 * At most 64 KiB in all, so that a short frame never waits long behind a long one. A message that is longer goes on in further
 * frames of the same type and id: all but the last have FRAME_MORE. One such message at a time is under way per direction;
 * whole frames of others may stand between its parts. `descriptors` says how many files came with the frame (SCM_RIGHTS, no
 * later than its last byte). A type that is not known is skipped when it has FRAME_IGNORABLE; otherwise the connection ends
 * with an ERROR frame. docs/reference/link-protocol.md says what each frame means; message.h how its payload is laid out.
 * Pure: no I/O, no allocation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_HEADER = 16,
	FRAME_MAX = 64 << 10,
	FRAME_PAYLOAD_MAX = FRAME_MAX - FRAME_HEADER,
	FRAME_MESSAGE_MAX = 4 << 20, /* of a message's payload, over all its frames */
	FRAME_DESCRIPTORS_MAX = 2, /* of one frame */
	FRAME_PREFACE = 16,
	FRAME_VERSION = 1,
	/* A longer body travels in a memory file, where there are descriptors: it is copied once less, and nothing waits. */
	FRAME_INLINE_MAX = 256 << 10,
};

enum { FRAME_MORE = 1, FRAME_IGNORABLE = 2 }; /* flags */

#define FRAME_FEATURE_DESCRIPTORS 1ull /* this side can send and take them */

enum frame_type { /* w: sent by a worker, c: by a client, e: by the engine. J: the payload is JSON text */
	FRAME_HELLO = 1, /* wc J */
	FRAME_WELCOME, /* e  J */
	FRAME_READY, /* w    its start went well */
	FRAME_FAILED, /* w  J its start did not */
	FRAME_ERROR, /* wce J why the connection ends now */
	FRAME_BYE, /* w    it drained and is about to exit */
	FRAME_PING, /* e */
	FRAME_PONG, /* w */
	FRAME_DRAIN, /* e    take no more, end what runs, exit; w: I do */
	FRAME_ANNOUNCE, /* w  J */
	FRAME_LOG, /* w */

	FRAME_JOB = 32, /* e    an attempt; id: of the job, in all frames from here to BLOB_NAME */
	FRAME_STARTED, /* w    its handler runs */
	FRAME_RESULT, /* w    it ended */
	FRAME_SETTLED, /* e    its end is durable */
	FRAME_GIVEN_BACK, /* w    it was not started and will not be */
	FRAME_CANCEL, /* e    its handler should end */
	FRAME_FORGET, /* e    its end no longer counts */
	FRAME_ITEM, /* w */
	FRAME_ITEM_DONE, /* e */
	FRAME_CHECKPOINT, /* w */
	FRAME_PROGRESS, /* w */
	FRAME_CALL, /* wc   another capability, please; c: id of the request */
	FRAME_CALL_RESULT,
	FRAME_BLOB_PUT, /* w    with a descriptor */
	FRAME_BLOB_NAME,

	FRAME_SUBMIT = 64, /* c    id: of the request, in all frames from here */
	FRAME_SUBMITTED,
	FRAME_WAIT, /* c */
	FRAME_OUTCOME,
	FRAME_SHOW, /* c */
	FRAME_SHOWN, /* e  J */
	FRAME_REFUSED, /* e    instead of the answer to any request */
	FRAME_BATCH_OPEN, /* c    these four are answered by SHOWN */
	FRAME_BATCH_CLOSE, /* c */
	FRAME_BATCH_CANCEL, /* c */
	FRAME_BATCH_WAIT, /* c */
	FRAME_CONTROL, /* c    one job or queue is to be changed */
	FRAME_CONTROLLED, /* e    that is durable */
};

struct frame {
	uint32_t size; /* of the payload */
	uint8_t type, flags;
	uint16_t descriptors;
	uint64_t id;
};

void frame_put(char out[FRAME_HEADER], const struct frame *f);
/* NULL, or what is wrong with this header: a sentence. */
const char *frame_get(struct frame *f, const char in[FRAME_HEADER]);
const char *frame_name(uint8_t type); /* "JOB"; NULL: not known */

void frame_put_preface(char out[FRAME_PREFACE], uint64_t features);
const char *frame_get_preface(const char in[FRAME_PREFACE], uint64_t *features); /* as frame_get */

/* Numbers on the wire. Each returns the place behind. */
static inline char *frame_put_number(char *out, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		out[i] = (char)(value >> 8 * i);
	return out + bytes;
}

static inline uint64_t frame_number(const char *in, int bytes)
{
	uint64_t value = 0;
	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)(unsigned char)in[i] << 8 * i;
	return value;
}
