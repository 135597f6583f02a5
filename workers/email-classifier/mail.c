/* mail.c - a message out of text that may begin with header-like lines. */
#include "mail.h"

#include <string.h>
#include <strings.h>

/* Other names end the header only if they are not one word before a colon: "Note: see below" is body, so only these count. */
static const char *const mail_names[] = {"subject", "from", "body", "to", "cc", "bcc", "date", "reply-to", "sender",
	"message-id", "mime-version", "content-type", "content-transfer-encoding", "return-path", "received",
	"delivered-to", "list-id", "x-mailer", "user-agent", "in-reply-to", "references", "importance", "priority", NULL};

static struct span mail_trimmed(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct span){at, (size_t)(end - at)};
}

/* The known name that the line begins with, or NULL; *colon is where its colon stands. */
static const char *mail_name(const char *line, const char *end, const char **colon)
{
	const char *c = memchr(line, ':', (size_t)(end - line) < 40 ? (size_t)(end - line) : 40);
	if (!c)
		return NULL;
	struct span word = mail_trimmed(line, c);
	for (const char *const *n = mail_names; *n; n++)
		if (strlen(*n) == word.size && !strncasecmp(*n, word.at, word.size)) {
			*colon = c;
			return *n;
		}
	return NULL;
}

void mail_of_content(struct mail *m, struct span content)
{
	const char *at = content.at, *end = content.at + content.size;
	struct span *last = NULL;
	memset(m, 0, sizeof *m);
	while (at < end && (*at == '\n' || *at == '\r' || *at == ' ' || *at == '\t'))
		at++;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at)), *colon = NULL;
		stop = stop ? stop : end;
		const char *name = mail_name(at, stop, &colon);
		if (name && !strcmp(name, "body")) {
			at = mail_trimmed(colon + 1, end).at;
			break;
		}
		if (name) {
			struct span value = mail_trimmed(colon + 1, stop);
			last = !strcmp(name, "subject")		 ? &m->subject
				   : !strcmp(name, "from")		 ? &m->from
				   : !strcmp(name, "message-id") ? &m->message_id
												 : NULL;
			if (last)
				*last = value;
		} else if (last && (*at == ' ' || *at == '\t') && mail_trimmed(at, stop).size) {
			last->size = (size_t)(mail_trimmed(at, stop).at + mail_trimmed(at, stop).size - last->at); /* folded */
		} else {
			break; /* an empty line, or the body without a word of warning */
		}
		at = stop < end ? stop + 1 : end;
	}
	m->text = (struct span){at, (size_t)(end - at)};
}
