#include "keeper/keeper.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void spawn(struct keeper *k, size_t size)
{
	struct keeper_parsed p;
	struct keeper_head *head = (struct keeper_head *)k->message;
	if (keeper_spawn_decode(k->message, size, k->pointers, &p)) {
		child_spawn(k, &p);
		return;
	}
	keeper_say("error", "bad_request type=spawn slot=%u bytes=%zu", head->slot, size);
	if (head->slot >= KEEPER_SLOTS)
		return;
	k->failed_step[head->slot] = KEEPER_STEP_REQUEST;
	k->failed_errno[head->slot] = EINVAL;
	k->owed[head->slot] |= OWE_FAILED;
}

static void list(struct keeper *k)
{
	for (uint32_t slot = 0; slot < k->memory->high; slot++)
		if (k->memory->slots[slot].state != KEEPER_FREE) /* LISTED tells all that SPAWNED and EXITED would have told */
			k->owed[slot] = (uint8_t)((k->owed[slot] & OWE_FAILED) | OWE_LISTED);
	k->owe_list_end = true;
}

static void handle(struct keeper *k, size_t size)
{
	const struct keeper_head *head = (const struct keeper_head *)k->message;
	const struct keeper_signal *signal = (const struct keeper_signal *)k->message;
	if (size < sizeof *head)
		return;
	if (head->type == KEEPER_SPAWN)
		spawn(k, size);
	else if (head->type == KEEPER_LIST)
		list(k);
	else if (head->slot >= KEEPER_SLOTS)
		keeper_say("error", "bad_request type=%u slot=%u", head->type, head->slot);
	else if (head->type == KEEPER_SIGNAL && size == sizeof *signal)
		child_signal(k, head->slot, signal->signal, signal->group);
	else if (head->type == KEEPER_FORGET)
		memory_forget(k, head->slot);
	else
		keeper_say("error", "bad_request type=%u bytes=%zu", head->type, size);
}

void channel_read(struct keeper *k)
{
	for (int turn = 0; turn < 64 && k->control >= 0; turn++) { /* then let the exits have their turn */
		ssize_t n = recv(k->control, k->message, sizeof k->message, MSG_DONTWAIT);
		if (n > 0)
			handle(k, (size_t)n);
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN)
			return;
		else
			engine_lost(k);
	}
}

static bool send_event(struct keeper *k, const struct keeper_event *e)
{
	if (send(k->control, e, sizeof *e, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof *e)
		return true;
	k->wait_writable = true; /* full; or broken, and then reading tells */
	return false;
}

static void describe(const struct keeper *k, uint32_t type, uint32_t slot, struct keeper_event *e)
{
	const struct keeper_slot *s = &k->memory->slots[slot];
	*e = (struct keeper_event){.head = {type, slot}};
	if (type == KEEPER_SPAWN_FAILED) {
		e->status = k->failed_errno[slot];
		e->step = k->failed_step[slot];
		return;
	}
	memcpy(e->instance, s->instance, sizeof e->instance);
	e->pid = s->pid;
	e->start = s->start;
	e->state = s->state;
	e->status = s->status;
	e->known = s->known;
}

static bool flush_slot(struct keeper *k, uint32_t slot)
{
	static const struct {
		uint8_t owe;
		uint32_t type;
	} order[] = {{OWE_FAILED, KEEPER_SPAWN_FAILED}, {OWE_LISTED, KEEPER_LISTED}, {OWE_SPAWNED, KEEPER_SPAWNED},
		{OWE_EXITED, KEEPER_EXITED}};
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		if (!(k->owed[slot] & order[i].owe))
			continue;
		struct keeper_event e;
		describe(k, order[i].type, slot, &e);
		if (!send_event(k, &e))
			return false;
		k->owed[slot] &= (uint8_t)~order[i].owe;
	}
	return true;
}

static void flush_flag(struct keeper *k, bool *flag, uint32_t type, int status)
{
	struct keeper_event e = {.head = {type, 0}, .status = status};
	if (*flag && !k->wait_writable && send_event(k, &e))
		*flag = false;
}

static uint32_t slots_touched(const struct keeper *k)
{
	/* a failed SPAWN does not raise `high` when its request was malformed */
	for (uint32_t slot = KEEPER_SLOTS; slot > k->memory->high; slot--)
		if (k->owed[slot - 1])
			return slot;
	return k->memory->high;
}

void channel_flush(struct keeper *k)
{
	if (k->control < 0)
		return;
	bool waited = k->wait_writable;
	k->wait_writable = false;
	uint32_t end = slots_touched(k);
	for (uint32_t slot = 0; slot < end && !k->wait_writable; slot++)
		if (k->owed[slot])
			flush_slot(k, slot);
	flush_flag(k, &k->owe_list_end, KEEPER_LIST_END, 0);
	flush_flag(k, &k->owe_stop, KEEPER_STOP, (int)k->stop_asked);
	flush_flag(k, &k->owe_reload, KEEPER_RELOAD, 0);
	if (waited == k->wait_writable)
		return;
	struct epoll_event event = {.events = EPOLLIN | (k->wait_writable ? EPOLLOUT : 0), .data.u64 = KEEPER_SLOTS};
	epoll_ctl(k->epoll, EPOLL_CTL_MOD, k->control, &event);
}
