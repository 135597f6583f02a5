#include "wire/stream.h"

#include <string.h>

/* ── in ── */

char *stream_in_space(struct stream_in *s, size_t *room)
{
	if (!s->buffer) {
		s->buffer = s->resize(NULL, STREAM_ROOM);
		if (!s->buffer)
			return NULL;
	}
	if (s->begin) { /* less than a frame is left */
		memmove(s->buffer, s->buffer + s->begin, s->end - s->begin);
		s->end -= s->begin;
		s->begin = 0;
	}
	*room = STREAM_ROOM - s->end;
	return s->buffer + s->end;
}

bool stream_in_got(struct stream_in *s, size_t size, const int *files, int file_n)
{
	bool room = true;

	s->end += size;
	for (int i = 0; i < file_n; i++) {
		if (s->file_n == STREAM_FILES) {
			room = false;
			break;
		}
		s->files[s->file_n++] = files[i];
	}
	return room;
}

static int claim_files(struct stream_in *s, int out[FRAME_DESCRIPTORS_MAX], int n, const char **why)
{
	if (n > s->file_n) {
		*why = "a frame announces a descriptor that did not come";
		return -1;
	}
	memcpy(out, s->files, (size_t)n * sizeof *out);
	memmove(s->files, s->files + n, (size_t)(s->file_n - n) * sizeof *s->files);
	s->file_n -= n;
	return 0;
}

static bool join(struct stream_in *s, const char *data, size_t size, const char **why)
{
	if (s->joined_size + size > FRAME_MESSAGE_MAX) {
		*why = "a message is longer than 4 MiB";
		return false;
	}
	if (s->joined_size + size > s->joined_room) {
		size_t room = 2 * (s->joined_size + size);
		char *grown = s->resize(s->joined, room);
		if (!grown) {
			*why = "no memory";
			return false;
		}
		s->joined = grown;
		s->joined_room = room;
	}
	if (size)
		memcpy(s->joined + s->joined_size, data, size);
	s->joined_size += size;
	return true;
}

/* A part of a longer message. 1: it is complete now. */
static int take_part(
	struct stream_in *s, const struct frame *f, const char *data, struct wire_message *m, const char **why)
{
	if (!s->joined_type) {
		s->joined_type = f->type;
		s->joined_id = f->id;
		s->joined_size = 0;
		if (claim_files(s, s->joined_files, f->descriptors, why) < 0)
			return -1;
		s->joined_file_n = f->descriptors;
	} else if (s->joined_type != f->type || s->joined_id != f->id) {
		*why = "a second long message begins before the first one has ended";
		return -1;
	} else if (f->descriptors) {
		*why = "a descriptor comes with a later part of a message";
		return -1;
	}
	if (!join(s, data, f->size, why))
		return -1;
	if (f->flags & FRAME_MORE)
		return 0;
	*m = (struct wire_message){f->type, f->id, s->joined, s->joined_size, {-1, -1}, s->joined_file_n};
	memcpy(m->files, s->joined_files, (size_t)s->joined_file_n * sizeof *m->files);
	s->joined_type = 0;
	s->joined_file_n = 0;
	return 1;
}

static int read_preface(struct stream_in *s, const char **why)
{
	size_t n = s->end - s->begin;

	if (n < FRAME_PREFACE) /* says early that this is something else */
		return 0;
	*why = frame_get_preface(s->buffer + s->begin, &s->features);
	s->begin += FRAME_PREFACE;
	s->greeted = true;
	return *why ? -1 : 1;
}

int stream_in_next(struct stream_in *s, struct wire_message *m, const char **why)
{
	int got = s->greeted ? 1 : read_preface(s, why);

	while (got == 1 && s->end - s->begin >= FRAME_HEADER) {
		const char *data = s->buffer + s->begin + FRAME_HEADER;
		struct frame f;

		*why = frame_get(&f, s->buffer + s->begin);
		if (*why)
			return -1;
		if (s->end - s->begin < FRAME_HEADER + f.size)
			return 0;
		s->begin += FRAME_HEADER + f.size;
		if ((f.flags & FRAME_MORE) || (s->joined_type && s->joined_type == f.type && s->joined_id == f.id)) {
			int whole = take_part(s, &f, data, m, why);
			if (whole)
				return whole;
			continue;
		}
		*m = (struct wire_message){f.type, f.id, data, f.size, {-1, -1}, f.descriptors};
		return claim_files(s, m->files, f.descriptors, why) < 0 ? -1 : 1;
	}
	return got < 0 ? -1 : 0;
}

int stream_in_take_file(struct stream_in *s)
{
	if (s->file_n)
		return s->files[--s->file_n];
	return s->joined_file_n ? s->joined_files[--s->joined_file_n] : -1;
}

void stream_in_fini(struct stream_in *s)
{
	if (s->buffer)
		s->resize(s->buffer, 0);
	if (s->joined)
		s->resize(s->joined, 0);
	*s = (struct stream_in){.resize = s->resize};
}

/* ── out ── */

static bool make_room(struct stream_out *s, size_t size)
{
	size_t room = s->room ? s->room : 4096;
	char *grown;

	if (s->end + size <= s->room)
		return true;
	if (s->begin) { /* what was written makes room first; places of files move along */
		memmove(s->buffer, s->buffer + s->begin, s->end - s->begin);
		for (int i = s->file_begin; i < s->file_end; i++)
			s->files[i].at -= s->begin;
		s->end -= s->begin;
		s->begin = 0;
	}
	while (room < s->end + size)
		room *= 2;
	if (room == s->room)
		return true;
	grown = s->resize(s->buffer, room);
	if (!grown)
		return false;
	s->buffer = grown;
	s->room = room;
	return true;
}

static bool make_file_room(struct stream_out *s, int n)
{
	struct stream_out_file *grown;

	if (s->file_begin == s->file_end)
		s->file_begin = s->file_end = 0;
	if (s->file_end + n <= s->file_room)
		return true;
	grown = s->resize(s->files, (size_t)(2 * s->file_room + 16) * sizeof *grown);
	if (!grown)
		return false;
	s->files = grown;
	s->file_room = 2 * s->file_room + 16;
	return true;
}

bool stream_out_preface(struct stream_out *s, uint64_t features)
{
	if (!make_room(s, FRAME_PREFACE))
		return false;
	frame_put_preface(s->buffer + s->end, features);
	s->end += FRAME_PREFACE;
	return true;
}

/* Copies the next `size` bytes of the parts. */
static void copy_parts(char *out, size_t size, const struct stream_part **part, size_t *offset)
{
	while (size) {
		size_t n = (*part)->size - *offset < size ? (*part)->size - *offset : size;
		if (n)
			memcpy(out, (const char *)(*part)->data + *offset, n);
		out += n;
		size -= n;
		*offset += n;
		if (*offset == (*part)->size) {
			++*part;
			*offset = 0;
		}
	}
}

bool stream_out_put(struct stream_out *s, uint8_t type, uint8_t flags, uint64_t id, const struct stream_part *parts,
	int n, const int *files, int file_n)
{
	size_t left = 0, offset = 0;
	bool first = true;

	for (int i = 0; i < n; i++)
		left += parts[i].size;
	if (left > FRAME_MESSAGE_MAX || (file_n && !make_file_room(s, file_n)) ||
		!make_room(s, left + (left / FRAME_PAYLOAD_MAX + 1) * FRAME_HEADER))
		return false;
	for (int i = 0; i < file_n; i++)
		s->files[s->file_end++] = (struct stream_out_file){s->end, files[i]};
	while (first || left) {
		uint32_t size = left > FRAME_PAYLOAD_MAX ? FRAME_PAYLOAD_MAX : (uint32_t)left;
		struct frame f = {
			size, type, (uint8_t)(left > size ? flags | FRAME_MORE : flags), (uint16_t)(first ? file_n : 0), id};
		frame_put(s->buffer + s->end, &f);
		copy_parts(s->buffer + s->end + FRAME_HEADER, size, &parts, &offset);
		s->end += FRAME_HEADER + size;
		left -= size;
		first = false;
	}
	return true;
}

size_t stream_out_next(const struct stream_out *s, const char **data, int files[FRAME_DESCRIPTORS_MAX], int *file_n)
{
	size_t until = s->end;

	*data = s->buffer + s->begin;
	*file_n = 0;
	for (int i = s->file_begin; i < s->file_end; i++) {
		if (s->files[i].at != s->begin) {
			until = s->files[i].at;
			break;
		}
		files[(*file_n)++] = s->files[i].fd;
	}
	return until - s->begin;
}

void stream_out_wrote(struct stream_out *s, size_t size, int file_n)
{
	s->begin += size;
	s->file_begin += file_n;
	if (s->begin == s->end)
		s->begin = s->end = 0;
}

int stream_out_take_file(struct stream_out *s)
{
	return s->file_begin < s->file_end ? s->files[s->file_begin++].fd : -1;
}

void stream_out_fini(struct stream_out *s)
{
	if (s->buffer)
		s->resize(s->buffer, 0);
	if (s->files)
		s->resize(s->files, 0);
	*s = (struct stream_out){.resize = s->resize};
}
