#include "wire/frame.h"

#include <string.h>

static const char magic[6] = "REEVE";

static const char *const names[] = {
	[FRAME_HELLO] = "HELLO",
	[FRAME_WELCOME] = "WELCOME",
	[FRAME_READY] = "READY",
	[FRAME_FAILED] = "FAILED",
	[FRAME_ERROR] = "ERROR",
	[FRAME_BYE] = "BYE",
	[FRAME_PING] = "PING",
	[FRAME_PONG] = "PONG",
	[FRAME_DRAIN] = "DRAIN",
	[FRAME_ANNOUNCE] = "ANNOUNCE",
	[FRAME_LOG] = "LOG",
	[FRAME_JOB] = "JOB",
	[FRAME_STARTED] = "STARTED",
	[FRAME_RESULT] = "RESULT",
	[FRAME_SETTLED] = "SETTLED",
	[FRAME_GIVEN_BACK] = "GIVEN_BACK",
	[FRAME_CANCEL] = "CANCEL",
	[FRAME_FORGET] = "FORGET",
	[FRAME_ITEM] = "ITEM",
	[FRAME_ITEM_DONE] = "ITEM_DONE",
	[FRAME_CHECKPOINT] = "CHECKPOINT",
	[FRAME_PROGRESS] = "PROGRESS",
	[FRAME_CALL] = "CALL",
	[FRAME_CALL_RESULT] = "CALL_RESULT",
	[FRAME_BLOB_PUT] = "BLOB_PUT",
	[FRAME_BLOB_NAME] = "BLOB_NAME",
	[FRAME_SUBMIT] = "SUBMIT",
	[FRAME_SUBMITTED] = "SUBMITTED",
	[FRAME_WAIT] = "WAIT",
	[FRAME_OUTCOME] = "OUTCOME",
	[FRAME_SHOW] = "SHOW",
	[FRAME_SHOWN] = "SHOWN",
	[FRAME_REFUSED] = "REFUSED",
	[FRAME_BATCH_OPEN] = "BATCH_OPEN",
	[FRAME_BATCH_CLOSE] = "BATCH_CLOSE",
	[FRAME_BATCH_CANCEL] = "BATCH_CANCEL",
	[FRAME_BATCH_WAIT] = "BATCH_WAIT",
	[FRAME_CONTROL] = "CONTROL",
	[FRAME_CONTROLLED] = "CONTROLLED",
};

const char *frame_name(uint8_t type)
{
	return type < sizeof names / sizeof *names ? names[type] : NULL;
}

void frame_put(char out[FRAME_HEADER], const struct frame *f)
{
	out = frame_put_number(out, f->size, 4);
	*out++ = (char)f->type;
	*out++ = (char)f->flags;
	out = frame_put_number(out, f->descriptors, 2);
	frame_put_number(out, f->id, 8);
}

const char *frame_get(struct frame *f, const char in[FRAME_HEADER])
{
	f->size = (uint32_t)frame_number(in, 4);
	f->type = (uint8_t)in[4];
	f->flags = (uint8_t)in[5];
	f->descriptors = (uint16_t)frame_number(in + 6, 2);
	f->id = frame_number(in + 8, 8);
	if (f->size > FRAME_PAYLOAD_MAX)
		return "a frame is longer than 64 KiB";
	if (f->flags & ~(FRAME_MORE | FRAME_IGNORABLE))
		return "a frame has a flag that is not known";
	if (f->descriptors > FRAME_DESCRIPTORS_MAX)
		return "a frame comes with more than 2 descriptors";
	if (!frame_name(f->type) && !(f->flags & FRAME_IGNORABLE))
		return "a frame's type is not known";
	return NULL;
}

void frame_put_preface(char out[FRAME_PREFACE], uint64_t features)
{
	memcpy(out, magic, sizeof magic);
	frame_put_number(frame_put_number(out + sizeof magic, FRAME_VERSION, 2), features, 8);
}

const char *frame_get_preface(const char in[FRAME_PREFACE], uint64_t *features)
{
	if (memcmp(in, magic, sizeof magic) != 0)
		return "the other side does not speak the link: its first bytes are not \"REEVE\\0\"";
	if (frame_number(in + 6, 2) != FRAME_VERSION)
		return "the other side speaks another major version of the link; this side speaks 1";
	*features = frame_number(in + 8, 8);
	return NULL;
}
