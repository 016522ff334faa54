/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replaces secrets in a stream of bytes, in place and keeping its length, so that positions,
 * content lengths and JSON stay right.  Every byte of a secret becomes '*'.
 *
 * Secrets are: the values of header fields such as authorization, x-api-key, cookie and set-cookie
 * (at a line start, as a quoted command line holds them, or as members of JSON objects, at any depth of
 * JSON within strings); members such as api_key, password and client_secret; the values of key=,
 * api_key=, access_token=, password= and their like in queries and assignments; what follows options
 * such as --password and --token, and the password of -u NAME:PASSWORD, but not the group of a
 * container's -u UID:GID; the password of
 * scheme://NAME:PASSWORD@; private keys (PEM), JSON web tokens but for their header; and tokens that look
 * like a provider's or forge's key (sk-..., AIza..., AKIA..., ghp_...) of a plausible length.  redact.c has
 * the lists.  The name, the word "Bearer" and the prefix of a token stay, as do line ends, double quotes,
 * backslashes and the escapes of JSON.
 *
 * The state carries over from one piece of a stream to the next, so that a secret cut by a packet
 * boundary is still found.  Whatever is masked in a text is masked in its pieces too; more is
 * masked only before a cut, in a word that may yet become a secret.
 */
#ifndef RINGSPAN_REDACT_H
#define RINGSPAN_REDACT_H

#include "base/buf.h"

#define REDACT_WORD 32
#define REDACT_WORD_LEN_MAX (1u << 30)

/* For redact.c alone.  All zero is the start of a stream. */
struct redact {
	char word[REDACT_WORD];  /* the last bytes of the word that is not at its end yet */
	unsigned int word_len;   /* all its bytes */
	unsigned int token_at;   /* where in it the secret begins, 0: there is none so far */
	unsigned char token_min; /* how long that must be */
	bool dots;               /* dots belong to the word */
	bool jwt;                /* it begins like a JSON web token */
	bool last;               /* no piece comes after this one */
	unsigned char before;    /* the byte before it */
	unsigned char state;
	uint16_t slashes;          /* backslashes right before the next byte */
	unsigned char start;       /* what the next word stands behind, */
	unsigned char start_quote; /* if a quote: which, */
	unsigned char start_level; /* and in how many strings that is */
	unsigned char quote;       /* what ends the value, 0: the line */
	unsigned char quote_level;
	unsigned char escape; /* digits that are left of \uXXXX */
	bool naming;          /* a user may be named here, with a password behind ':' */
	bool container;       /* the command starts containers, */
	bool numbers;         /* and what its -u names so far are digits */
	unsigned char digits; /* of the group */
	struct redact_pem {
		unsigned char state, seen, dashes, escape;
		unsigned int len;
	} pem;
	struct redact_url {
		unsigned char state;
		unsigned int len;
	} url;
};

#define REDACT_INIT \
	{           \
		0   \
	}

/* For redact.c alone: private keys, before it looks at the text itself, and passwords in URLs, after. */
size_t redact_pem(struct redact_pem *k, char *p, size_t n);
size_t redact_url(struct redact_url *u, char *p, size_t n, bool last);

/* Masks p[0..n); returns how many bytes that changed. */
size_t redact_bytes(struct redact *r, char *p, size_t n);
/* The whole of a text that stands by itself. */
size_t redact_text(char *p, size_t n);
/* Likewise the string, decoded, that is the value of a member of that name. */
size_t redact_member(struct sv name, char *p, size_t n);

#endif
