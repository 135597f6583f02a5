#include "attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <reeve/worker.h>
#include <string.h>
#include <unistd.h>

struct intake {
	const struct host *host;
	gnutls_hash_hd_t hash;
	int fd; /* -1: it is not kept */
};

static int intake_write(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t done = write(fd, s, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return REEVE_E_INTERNAL;
		s += done;
		n -= (size_t)done;
	}
	return 0;
}

static int intake_take(void *context, const char *s, size_t n)
{
	struct intake *in = context;

	if (in->host->cancelled && in->host->cancelled(in->host->context))
		return REEVE_E_CANCELLED;
	if (gnutls_hash(in->hash, s, n) < 0)
		return REEVE_E_INTERNAL;
	return in->fd < 0 ? 0 : intake_write(in->fd, s, n);
}

/* A file without a name, gone when it is closed. */
static int intake_open(const struct host *host)
{
	const char *directory = host->scratch ? host->scratch(host->context) : NULL;

	return directory ? open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
}

static int attachment_consume(
	struct attachment *a, GMimePart *part, enum attachment_mode mode, struct intake *in, struct decode *d)
{
	unsigned char digest[32];
	int rc = decode_part(part, d, intake_take, in);

	gnutls_hash_output(in->hash, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(a->sha256 + 2 * i, 3, "%02x", digest[i]);
	a->size = d->bytes;
	if (!rc && mode == ATTACHMENT_BLOBS)
		rc = in->host->blob(in->host->context, in->fd, a->blob, sizeof a->blob);
	return rc < 0 ? rc : 0;
}

int attachment_read(
	struct attachment *a, GMimePart *part, enum attachment_mode mode, const struct host *host, struct decode *d)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *name = g_mime_part_get_filename(part);
	char *full = type ? g_mime_content_type_get_mime_type(type) : NULL;
	struct intake in = {.host = host, .fd = mode == ATTACHMENT_BLOBS ? intake_open(host) : -1};
	int rc = REEVE_E_INTERNAL;

	*a = (struct attachment){.name = g_strdup(name ? name : ""),
		.type = full ? g_ascii_strdown(full, -1) : g_strdup("application/octet-stream")};
	g_free(full);
	if ((mode != ATTACHMENT_BLOBS || in.fd >= 0) && gnutls_hash_init(&in.hash, GNUTLS_DIG_SHA256) >= 0) {
		rc = attachment_consume(a, part, mode, &in, d);
		gnutls_hash_deinit(in.hash, NULL);
	}
	if (in.fd >= 0)
		close(in.fd);
	if (rc)
		attachment_fini(a);
	return rc;
}

void attachment_fini(struct attachment *a)
{
	g_free(a->name);
	g_free(a->type);
	*a = (struct attachment){0};
}
