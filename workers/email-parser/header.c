#include "header.h"

#include "utf8.h"

/* A copy of what is printable, cut to the limit for a field. */
static char *header_copy(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	return s ? g_strndup(s, utf8_floor(s, n, MESSAGE_FIELD_MAX)) : NULL;
}

static char *header_mailbox(InternetAddressMailbox *mailbox)
{
	const char *address = internet_address_mailbox_get_addr(mailbox);
	const char *name = internet_address_get_name(INTERNET_ADDRESS(mailbox));
	char *both = name && *name && address && *address ? g_strdup_printf("%s <%s>", name, address) : NULL;
	char *copy = header_copy(both ? both : address && *address ? address : name);

	g_free(both);
	return copy;
}

/* Adds the mailboxes of a list; those of a group one by one. */
static void header_addresses(GPtrArray *out, InternetAddressList *list)
{
	int n = list ? internet_address_list_length(list) : 0;

	for (int i = 0; i < n && out->len < MESSAGE_ADDRESSES_MAX; i++) {
		InternetAddress *address = internet_address_list_get_address(list, i);
		char *text = NULL;
		if (INTERNET_ADDRESS_IS_MAILBOX(address))
			text = header_mailbox(INTERNET_ADDRESS_MAILBOX(address));
		else if (INTERNET_ADDRESS_IS_GROUP(address)) {
			InternetAddressList *members = internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address));
			for (int j = 0; members && j < internet_address_list_length(members); j++) {
				InternetAddress *member = internet_address_list_get_address(members, j);
				if (INTERNET_ADDRESS_IS_MAILBOX(member) && out->len < MESSAGE_ADDRESSES_MAX)
					g_ptr_array_add(out, header_mailbox(INTERNET_ADDRESS_MAILBOX(member)));
			}
		}
		if (text)
			g_ptr_array_add(out, text);
	}
}

static void header_from(GMimeMessage *message, struct message *out)
{
	InternetAddressList *list = g_mime_message_get_from(message);
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	InternetAddress *first =
		list && internet_address_list_length(list) ? internet_address_list_get_address(list, 0) : NULL;
	GMimeHeader *header = g_mime_header_list_get_header(g_mime_object_get_header_list(GMIME_OBJECT(message)), "From");

	header_addresses(all, list);
	if (all->len)
		out->from = g_strdup(all->pdata[0]);
	else if (header)
		out->from = header_copy(g_mime_header_get_value(header));
	if (first && INTERNET_ADDRESS_IS_MAILBOX(first))
		out->from_address = header_copy(internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first)));
	g_ptr_array_unref(all);
}

static void header_date(GMimeMessage *message, struct message *out)
{
	GDateTime *date = g_mime_message_get_date(message);
	int minutes;
	char zone[16] = "Z";

	if (!date)
		return;
	minutes = (int)(g_date_time_get_utc_offset(date) / 60000000);
	if (minutes)
		snprintf(zone, sizeof zone, "%c%02d:%02d", minutes < 0 ? '-' : '+', abs(minutes) / 60 % 100, abs(minutes) % 60);
	snprintf(out->date, sizeof out->date, "%04d-%02d-%02dT%02d:%02d:%02d%s", g_date_time_get_year(date),
		g_date_time_get_month(date), g_date_time_get_day_of_month(date), g_date_time_get_hour(date),
		g_date_time_get_minute(date), g_date_time_get_second(date), zone);
	out->instant = g_date_time_to_unix(date);
}

void header_read(GMimeMessage *message, struct message *out)
{
	const char *id = g_mime_message_get_message_id(message);
	char *brackets = id ? g_strdup_printf("<%s>", id) : NULL;

	out->id = header_copy(brackets);
	g_free(brackets);
	out->subject = header_copy(g_mime_message_get_subject(message));
	header_from(message, out);
	header_addresses(out->to, g_mime_message_get_addresses(message, GMIME_ADDRESS_TYPE_TO));
	header_addresses(out->cc, g_mime_message_get_addresses(message, GMIME_ADDRESS_TYPE_CC));
	header_date(message, out);
}
