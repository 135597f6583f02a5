#include "callback/allow.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct network { /* IPv4 as ::ffff:a.b.c.d */
	unsigned char address[16];
	unsigned bits;
};

struct allow {
	struct network *networks;
	char **hosts; /* ".example.com": those below */
	size_t network_n, host_n;
	bool listed, public;
};

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct allow *allow_new(void)
{
	struct allow *a = NEW(struct allow);
	a->public = true;
	return a;
}

void allow_free(struct allow *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->host_n; i++)
		free(a->hosts[i]);
	free(a->hosts);
	free(a->networks);
	free(a);
}

/* ── addresses ── */

static bool read_address(const char *text, unsigned char out[16], bool *four)
{
	memcpy(out, mapped, sizeof mapped);
	*four = inet_pton(AF_INET, text, out + 12) == 1;
	return *four || inet_pton(AF_INET6, text, out) == 1;
}

static bool within(const unsigned char address[16], const unsigned char network[16], unsigned bits)
{
	if (memcmp(address, network, bits / 8) != 0)
		return false;
	unsigned char mask = (unsigned char)(0xff00 >> bits % 8);
	return bits % 8 == 0 || ((address[bits / 8] ^ network[bits / 8]) & mask) == 0;
}

static bool read_network(const char *text, struct network *out)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	bool four;
	if (size >= sizeof address)
		return false;
	memcpy(address, text, size);
	address[size] = 0;
	if (!read_address(address, out->address, &four))
		return false;
	unsigned most = four ? 32 : 128;
	out->bits = most;
	if (slash) {
		char *end;
		unsigned long bits = strtoul(slash + 1, &end, 10);
		if (!isdigit((unsigned char)slash[1]) || *end || bits > most)
			return false;
		out->bits = (unsigned)bits;
	}
	out->bits += 128 - most;
	return true;
}

/* What IANA's registries of special addresses call "not globally reachable", and multicast. */
static bool is_public(const unsigned char address[16])
{
	static const char *const not_public[] = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
		"169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "2001::/23", "2001:db8::/32", "3fff::/20"};
	static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b}, six_to_four[2] = {0x20, 0x02};
	struct network n;
	unsigned char inner[16];
	memcpy(inner, mapped, sizeof mapped);
	if (memcmp(address, nat64, sizeof nat64) == 0) { /* these two are other words for an IPv4 address */
		memcpy(inner + 12, address + 12, 4);
		return is_public(inner);
	}
	if (memcmp(address, six_to_four, sizeof six_to_four) == 0) {
		memcpy(inner + 12, address + 2, 4);
		return is_public(inner);
	}
	for (size_t i = 0; i < ARRAY_SIZE(not_public); i++) {
		if (read_network(not_public[i], &n) && within(address, n.address, n.bits))
			return false;
	}
	return memcmp(address, mapped, sizeof mapped) == 0 || address[0] >> 5 == 1; /* 2000::/3 */
}

static bool may_reach(const struct allow *a, const unsigned char address[16])
{
	for (size_t i = 0; i < a->network_n; i++) {
		if (within(address, a->networks[i].address, a->networks[i].bits))
			return true;
	}
	return a->public && is_public(address);
}

/* ── hosts ── */

static bool is_host(const char *text)
{
	size_t n = strlen(text);
	for (const char *at = text; *at; at++) {
		if (!isalnum((unsigned char)*at) && *at != '.' && *at != '-' && *at != '_')
			return false;
	}
	return n > 0 && n <= 253 && strcmp(text, ".") != 0;
}

static bool named(const struct allow *a, const char *host)
{
	size_t n = strlen(host);
	for (size_t i = 0; i < a->host_n; i++) {
		size_t m = strlen(a->hosts[i]);
		if (a->hosts[i][0] != '.' ? strcasecmp(a->hosts[i], host) == 0
								  : n > m && strcasecmp(host + n - m, a->hosts[i]) == 0)
			return true;
	}
	return false;
}

enum errcode allow_add(struct allow *a, const char *entry, struct err *e)
{
	struct network n;
	bool public = strcmp(entry, "public") == 0, network = !public && read_network(entry, &n);
	if (!public && !network && !is_host(entry))
		return err_set(e, E_INVALID,
			"\"%.100s\": is no host (\"hooks.example.com\", \".example.com\"), no address or network "
			"(\"10.1.0.0/16\", \"::1\"), and not \"public\"",
			entry);
	if (a->network_n + a->host_n >= ALLOW_ENTRIES_MAX)
		return err_set(e, E_TOO_LARGE, "\"%.100s\": there are %d entries already", entry, ALLOW_ENTRIES_MAX);
	if (!a->listed)
		a->public = false;
	a->listed = true;
	if (public) {
		a->public = true;
	} else if (network) {
		a->networks = mem_resize(a->networks, (a->network_n + 1) * sizeof n);
		a->networks[a->network_n++] = n;
	} else {
		a->hosts = mem_resize(a->hosts, (a->host_n + 1) * sizeof *a->hosts);
		a->hosts[a->host_n++] = mem_text(entry);
	}
	return E_OK;
}

/* "[::1]" as it stands in a URL. */
static bool literal(const char *host, unsigned char out[16])
{
	char bare[INET6_ADDRSTRLEN];
	size_t n = strlen(host);
	bool four;
	if (host[0] != '[')
		return read_address(host, out, &four);
	if (n < 3 || n - 2 >= sizeof bare || host[n - 1] != ']')
		return false;
	memcpy(bare, host + 1, n - 2);
	bare[n - 2] = 0;
	return read_address(bare, out, &four);
}

#define WHERE "callbacks.allow of the configuration says what may be reached"

enum errcode allow_check_host(const struct allow *a, const char *host, struct err *e)
{
	unsigned char address[16];
	if (!a || named(a, host))
		return E_OK;
	if (literal(host, address))
		return may_reach(a, address) ? E_OK : err_set(e, E_DENIED, "the address %s may not be reached: " WHERE, host);
	if (!a->public && !a->network_n)
		return err_set(e, E_DENIED, "the host %.100s may not be reached: " WHERE, host);
	return E_OK;
}

bool allow_address(const struct allow *a, const char *host, const struct sockaddr *address)
{
	unsigned char bytes[16];
	memcpy(bytes, mapped, sizeof mapped);
	if (address->sa_family == AF_INET)
		memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	else if (address->sa_family == AF_INET6)
		memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
	else
		return false;
	return !a || named(a, host) || may_reach(a, bytes);
}
