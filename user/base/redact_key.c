// SPDX-License-Identifier: BSD-2-Clause
/*
 * Secrets that are no words: private keys and passwords in URLs.  Both walk over the text by themselves and
 * keep their place from one piece to the next; see redact.h.
 */
#include "base/redact.h"

#include <string.h>

#define PEM_BEGIN "BEGIN "
#define PEM_KIND "PRIVATE KEY"
#define PEM_DASHES 5
#define PEM_LABEL_MAX 64
#define PEM_MAX (64u << 10) /* bytes of a key; an RSA key of 16384 bits has 13 kB */
#define PASSWORD_MAX 1024

static size_t hide(char *c)
{
	size_t changed = *c != '*';

	*c = '*';
	return changed;
}

/* --- private keys, RFC 7468: "-----BEGIN ... PRIVATE KEY-----", base64, "-----END" */

enum { PEM_TEXT, PEM_LABEL, PEM_KEY };

/* The next byte that may begin the line, or is in its beginning. */
static size_t find_begin(struct redact_pem *k, const char *p, size_t i, size_t n)
{
	const char *at = k->seen ? p + i : memchr(p + i, PEM_BEGIN[0], n - i);

	if (!at)
		return n;
	if (*at != PEM_BEGIN[k->seen]) {
		k->seen = 0;
		return i; /* it may begin here */
	}
	if (++k->seen == sizeof(PEM_BEGIN) - 1)
		*k = (struct redact_pem){ .state = PEM_LABEL };
	return (size_t)(at - p) + 1;
}

/* What kind of thing it is, up to the dashes. */
static void in_label(struct redact_pem *k, char c)
{
	bool label = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ';

	k->dashes = c == '-' ? k->dashes + 1 : 0;
	if (++k->len > PEM_LABEL_MAX || !(label || c == '-'))
		*k = (struct redact_pem){ .state = PEM_TEXT };
	else if (k->dashes == PEM_DASHES)
		*k = (struct redact_pem){ .state = k->seen == sizeof(PEM_KIND) - 1 ? PEM_KEY
										   : PEM_TEXT };
	else if (k->seen < sizeof(PEM_KIND) - 1)
		k->seen = c == PEM_KIND[k->seen] ? k->seen + 1 : c == PEM_KIND[0];
}

/* An escape of JSON stays; what is in quotes ends with them, and what is not with the dashes of its end. */
static size_t in_key(struct redact_pem *k, char *c)
{
	bool escaped = k->escape > 0;

	if (*c == '"' || *c == '\'' || !*c || (*c == '-' && k->dashes) || ++k->len > PEM_MAX) {
		*k = (struct redact_pem){ .state = PEM_TEXT };
		return 0;
	}
	k->dashes = *c == '-';
	if (*c == '\\')
		k->escape = 1;
	else if (k->escape == 1 && *c == 'u')
		k->escape = 5;
	else if (k->escape == 1)
		k->escape = 0;
	else if (escaped)
		k->escape = k->escape > 2 ? k->escape - 1 : 0;
	if (escaped || *c == '\\' || *c == '-' || *c == '\n' || *c == '\r' || *c == ' ')
		return 0;
	return hide(c);
}

size_t redact_pem(struct redact_pem *k, char *p, size_t n)
{
	size_t i = 0, masked = 0;

	while (i < n)
		if (k->state == PEM_TEXT)
			i = find_begin(k, p, i, n);
		else if (k->state == PEM_LABEL)
			in_label(k, p[i++]);
		else
			masked += in_key(k, p + i++);
	return masked;
}

/* --- passwords in URLs, RFC 3986 3.2.1: "://name:password@"; JSON may write "\/" */

enum { URL_TEXT, URL_COLON, URL_SLASH, URL_NAME, URL_PASSWORD };

static bool ends_authority(char c)
{
	return (unsigned char)c <= ' ' || strchr("/?#\"'<>\\`[", c);
}

static void next_of_url(struct redact_url *u, char c)
{
	switch (u->state) {
	case URL_COLON:
	case URL_SLASH:
		if (c == '/')
			u->state++;
		else if (c != '\\')
			u->state = c == ':' ? URL_COLON : URL_TEXT;
		break;
	case URL_NAME:
		if (c == ':')
			u->state = URL_PASSWORD;
		else if (c == '@' || ends_authority(c))
			u->state = URL_TEXT;
		u->len = 0;
		break;
	default:
		u->state = c == ':' ? URL_COLON : URL_TEXT;
		break;
	}
}

/* The bytes at p[0..n) that may be of a password: it is one when '@' follows, or may yet. */
static size_t in_password(struct redact_url *u, char *p, size_t n, bool last, size_t *masked)
{
	size_t i = 0;

	while (i < n && p[i] != '@' && !ends_authority(p[i]) && u->len + i < PASSWORD_MAX)
		i++;
	for (size_t k = 0; k < i && (i < n ? p[i] == '@' : !last); k++)
		*masked += hide(p + k);
	u->len += (unsigned int)i;
	if (i < n)
		u->state = URL_TEXT;
	return i;
}

size_t redact_url(struct redact_url *u, char *p, size_t n, bool last)
{
	size_t i = 0, masked = 0;

	while (i < n) {
		if (u->state == URL_PASSWORD) {
			i += in_password(u, p + i, n - i, last, &masked);
			continue;
		}
		if (u->state == URL_TEXT) {
			const char *colon = memchr(p + i, ':', n - i);

			if (!colon)
				break;
			i = (size_t)(colon - p);
			if (i + 1 < n && p[i + 1] != '/' && p[i + 1] != '\\') { /* nearly all */
				i++;
				continue;
			}
		}
		next_of_url(u, p[i++]);
	}
	return masked;
}
