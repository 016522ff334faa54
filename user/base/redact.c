// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finds and masks secrets: see redact.h.
 *
 * The text is read as words ([A-Za-z0-9_-]) and the bytes between them, once, from left to right.
 * A word that begins like a key of some provider is masked when it is long enough; a word that
 * names a secret puts the machine into the states that mask what follows.  The last bytes of a word
 * that a piece ends in are kept as they were, so that cutting a text changes only this: what may
 * yet become a secret is masked before the cut.
 *
 * Quotes, backslashes and line ends are never masked, nor is what belongs to an escape of JSON.
 */
#include "base/redact.h"

#include <string.h>
#include "base/cleanup.h"

enum state {
	TEXT,
	NAME_CLOSE,   /* "authorization|": the quote that ends the name, perhaps escaped */
	NAME_COLON,   /* the colon between name and value */
	VALUE_OPEN,   /* the quote that begins the value */
	VALUE_LEAD,   /* blanks before the value */
	VALUE_SCHEME, /* what may be "Bearer" */
	VALUE,
	QUERY,      /* the value of key= */
	OPTION,     /* blanks and quotes before the value of --password */
	USER,       /* likewise of -u, */
	USER_GROUP, /* what is behind a name, which may be a number that is none */
};

/* What a word stands behind: only there it can be the name of a header field. */
enum start {
	START_LINE,    /* a line or an argument begins */
	START_ESCAPED, /* "\n" as JSON has it; the string's own quote is in sight again */
	START_QUOTE,
	START_NONE,
};

enum class {
	WORD = 1,
	LINE = 2,
	QUOTE = 4,
	INDENT =
		8, /* may stand between the start of a line and a name; '>' as in the trace of curl */
	BACKSLASH = 16,
	NAME_END = 32, /* what stands behind the name of a secret */
};

static const unsigned char class[256] = {
	['a' ... 'z'] = WORD,
	['A' ... 'Z'] = WORD,
	['0' ... '9'] = WORD,
	['_'] = WORD,
	['-'] = WORD,
	['\0'] = LINE,
	['\n'] = LINE,
	['\r'] = LINE,
	['"'] = QUOTE | NAME_END,
	['\''] = QUOTE | NAME_END,
	[' '] = INDENT,
	['\t'] = INDENT,
	['>'] = INDENT,
	['<'] = INDENT,
	['\\'] = INDENT | BACKSLASH | NAME_END,
	[':'] = NAME_END,
	['='] = NAME_END,
};

struct token {
	const char *prefix;
	unsigned char len; /* of the prefix */
	unsigned char min; /* word bytes behind it that make it a key */
	bool upper;        /* and these are upper case and digits: other words begin like it too */
};

#define TOKEN(text, cnt)                                                \
	{                                                               \
		.prefix = (text), .len = sizeof(text) - 1, .min = (cnt) \
	}
#define TOKEN_UPPER(text, cnt)                                                         \
	{                                                                              \
		.prefix = (text), .len = sizeof(text) - 1, .min = (cnt), .upper = true \
	}

static const struct token tokens[] = {
	TOKEN("sk-", 16),                          /* OpenAI, Anthropic, OpenRouter, DeepSeek ... */
	TOKEN("AIza", 30),                         /* Google API key */
	TOKEN("ya29.", 20),                        /* Google OAuth */
	TOKEN("gsk_", 20),                         /* Groq */
	TOKEN("xai-", 20),       TOKEN("hf_", 20), /* Hugging Face */
	TOKEN("r8_", 20),                          /* Replicate */
	TOKEN("pplx-", 20),                        /* Perplexity */
	TOKEN_UPPER("AKIA", 16),                   /* AWS access key id */
	TOKEN_UPPER("ASIA", 16), TOKEN("ghp_", 20), /* GitHub */
	TOKEN("gho_", 20),       TOKEN("ghs_", 20),        TOKEN("ghu_", 20),
	TOKEN("ghr_", 20),       TOKEN("github_pat_", 20), TOKEN("glpat-", 16), /* GitLab */
	TOKEN("xoxb-", 16),                                                     /* Slack */
	TOKEN("xoxp-", 16),      TOKEN("xoxa-", 16),       TOKEN("xapp-", 16),
	TOKEN("sk_live_", 16),   TOKEN("rk_live_", 16), /* Stripe */
	TOKEN("npm_", 30),       TOKEN("pypi-", 40),       TOKEN("nvapi-", 20),
	TOKEN("tvly-", 16), /* Tavily */
};

#define TOKEN_WORD_MIN 19 /* no word that is shorter can be a token */
#define JWT_MIN 16        /* bytes behind the header */

/* The shortest and the longest name below, and room for "u0026" before it. */
#define SECRET_NAME_MIN 6
#define SECRET_NAME_MAX 24
#define ESCAPE_MAX 5

static const char *const header_names[] = {
	"authorization",  "proxy-authorization",  "x-api-key",
	"api-key",        "x-goog-api-key",       "cookie",
	"set-cookie",     "x-amz-security-token", "x-auth-token",
	"x-access-token", "private-token",        "x-vault-token",
};

/* Secrets as members of JSON objects; at a line start these are prose and documentation. */
static const char *const member_names[] = {
	"api_key",
	"apikey",
	"access_token",
	"password",
	"passwd",
	"client_secret",
	"clientsecret",
	"secret_key",
	"secretkey",
	"secret_access_key",
	"secretaccesskey",
	"refresh_token",
	"id_token",
	"session_token",
	"sessiontoken",
	"auth_token",
	"private_key",
	"secret",
	"accesstoken",
	"refreshtoken",
	"aws_session_token",
	"private_key_pem",
	"aws_secret_access_key",
};

/* Ends of names: DB_PASSWORD= is one, too. */
static const char *const query_names[] = {
	"api_key",    "apikey",        "api-key",         "access_token",         "password",
	"passwd",     "client_secret", "secret_key",      "secret_access_key",    "refresh_token",
	"id_token",   "auth_token",    "session_token",   "private_token",        "access-token",
	"auth-token", "client-secret", "x-amz-signature", "x-amz-security-token",
};

/* Of these the whole name, behind '?' or '&'. */
static const char *const short_names[] = { "key", "token", "secret", "sig", "pwd", "pass" };

/* Options whose value is the next word. */
static const char *const option_names[] = {
	"--password",   "--passwd",        "--pass",          "--token",
	"--api-key",    "--apikey",        "--secret",        "--access-token",
	"--auth-token", "--client-secret", "--refresh-token",
};
static const char *const user_options[] = { "-u", "--user", "--proxy-user" };

/* Programs that have no password there, but a group; and who may be started by them and has one. */
static const char *const container_names[] = { "docker", "podman" };
static const char *const client_names[] = { "curl" };
#define ID_DIGITS 10 /* of a uid or gid, at most */

static const char *const schemes[] = { "bearer",    "basic", "digest",
				       "negotiate", "token", "aws4-hmac-sha256" };

static unsigned char class_of(char c)
{
	return class[(unsigned char)c];
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool one_of(struct sv s, const char *const *names, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (sv_ieq(s, names[i]))
			return true;
	return false;
}

#define ANY_LEVEL 15 /* a quote of any level ends it */

/*
 * Strings within strings: level 0 is the outermost.  Every level doubles the backslashes and adds
 * one to those before a quote, so a quote of level n has 2^n - 1 of them before it and an escape
 * 2^n; before these may be any number of 2^(n+1), which are backslashes in the string itself.
 */
static unsigned char quote_level(uint16_t slashes)
{
	return (unsigned char)__builtin_ctz(~(unsigned int)slashes);
}

static unsigned char escape_level(uint16_t slashes)
{
	return slashes ? (unsigned char)__builtin_ctz(slashes) : 0;
}

/* How many were something else. */
static size_t mask(char *p, size_t n)
{
	size_t changed = 0;

	for (size_t i = 0; i < n; i++) {
		changed += p[i] != '*';
		p[i] = '*';
	}
	return changed;
}

/* A word that has ended, or is cut by the end of a piece: what was kept of it, and its new part. */
struct word {
	const char *head; /* its beginning, if it is whole; else the last bytes that were kept */
	size_t head_len;  /* how many can be read there */
	const char *end;  /* behind its last byte; SECRET_NAME_MAX and more can be read before it */
	size_t len;
	bool whole;
	char joined[2 * REDACT_WORD];
};

static void word_join(const struct redact *r, const char *p, size_t n, struct word *w)
{
	size_t kept = r->word_len < REDACT_WORD ? r->word_len : REDACT_WORD;
	size_t more = n < REDACT_WORD ? n : REDACT_WORD;

	w->len = r->word_len + n;
	w->whole = r->word_len <= REDACT_WORD;
	if (!kept) {
		w->head = p;
		w->head_len = n;
		w->end = p + n;
		return;
	}
	memcpy(w->joined, r->word, kept);
	memcpy(w->joined + kept, p, more);
	w->head = w->joined;
	w->head_len = kept + more;
	w->end = more == n ? w->joined + kept + n : p + n;
}

/* Bytes of a word that are still part of an escape: "\nsk-", "\u0026key", "%20sk-". */
static size_t escape_len(char before, const char *p, size_t n)
{
	if (before == '%')
		return n >= 2 && is_hex(p[0]) && is_hex(p[1]) ? 2 : 0;
	if (before != '\\' || !n)
		return 0;
	if (p[0] != 'u')
		return strchr("nrtbf", p[0]) && p[0] ? 1 : 0;
	for (size_t i = 1; i < ESCAPE_MAX; i++)
		if (i >= n || !is_hex(p[i]))
			return 0;
	return ESCAPE_MAX;
}

/* Or masked. */
static bool is_upper(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((p[i] >= 'A' && p[i] <= 'Z') || is_digit(p[i]) || p[i] == '*'))
			return false;
	return true;
}

static const struct token *token_find(const char *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		const struct token *t = &tokens[i];

		if (n < t->len || p[0] != t->prefix[0] || memcmp(p, t->prefix, t->len) != 0)
			continue;
		size_t rest = n - t->len < t->min ? n - t->len : t->min;
		return t->upper && !is_upper(p + t->len, rest) ? NULL : t;
	}
	return NULL;
}

static bool is_jwt(const char *p, size_t n)
{
	return n >= 3 && memcmp(p, "eyJ", 3) == 0;
}

/*
 * RFC 7519: header, payload and signature with dots between.  The header is no secret; without what
 * follows it is no token at all, but base64 of any JSON object.
 */
static void word_jwt(struct redact *r, const struct word *w, const char *p, size_t n)
{
	struct sv seen = { p, n };
	size_t skip;

	if (w->whole) {
		skip = escape_len((char)r->before, w->head, w->head_len);
		r->jwt = is_jwt(w->head + skip, w->head_len - skip);
		seen = (struct sv){ w->head, w->head_len };
	}
	if (!r->jwt || r->token_at)
		return;
	long dot = sv_find(seen, SV("."));
	if (dot < 0 && w->whole && w->len > w->head_len) {
		seen = (struct sv){ p, n };
		dot = sv_find(seen, SV("."));
	}
	if (dot < 0)
		return;
	r->token_at = (unsigned int)((seen.p == p ? w->len - n : 0) + (size_t)dot + 1);
	r->token_min = JWT_MIN;
}

/* Looks for a token in a word of which the beginning is known; else what was found then holds. */
static void word_token(struct redact *r, const struct word *w)
{
	if (!w->whole)
		return;
	size_t skip = escape_len((char)r->before, w->head, w->head_len);
	const struct token *t = token_find(w->head + skip, w->head_len - skip);
	r->token_at = t ? (unsigned int)(skip + t->len) : 0;
	r->token_min = t ? t->min : 0;
}

/* Masks what of the token is among the last n bytes of the word, which are at p. */
static size_t mask_token(const struct redact *r, const struct word *w, char *p, size_t n)
{
	size_t kept = w->len - n;
	size_t from = r->token_at > kept ? r->token_at - kept : 0;

	return from < n ? mask(p + from, n - from) : 0;
}

/* Google's OAuth tokens and JSON web tokens have dots, which end any other word. */
static bool has_dots(const struct redact *r, const char *p, size_t n)
{
	struct word w;

	if (!r->word_len && p[0] != 'y' && p[0] != 'e' && r->before != '\\' && r->before != '%')
		return false;
	word_join(r, p, n, &w);
	if (!w.whole)
		return r->dots;
	size_t skip = escape_len((char)r->before, w.head, w.head_len);
	size_t len = w.head_len - skip;
	if (is_jwt(w.head + skip, len))
		return true;
	return len >= 4 && memcmp(w.head + skip, "ya29", 4) == 0 &&
	       (len == 4 || w.head[skip + 4] == '.');
}

/* Does the word at p[0..n) go on with c?  A token of which a part is masked already goes on behind the mask. */
static bool goes_on(const struct redact *r, const char *p, size_t n, char c)
{
	struct word w;
	bool dots;

	if (c != '.' && c != '*')
		return false;
	dots = has_dots(r, p, n);
	if (dots || c == '.')
		return dots;
	word_join(r, p, n, &w);
	if (!w.whole)
		return r->token_at;
	size_t skip = escape_len((char)r->before, w.head, w.head_len);
	return token_find(w.head + skip, w.head_len - skip);
}

static void begin_value(struct redact *r, unsigned char quote, unsigned char level)
{
	r->state = VALUE_LEAD;
	r->quote = quote;
	r->quote_level = level;
}

/* A whole word at a place where a name may stand, and the byte behind it. */
static void match_name(struct redact *r, struct sv name, char behind)
{
	if (r->start == START_LINE &&
	    sv_starts(name, "-H")) /* an argument of curl, in one with its value */
		name = sv_sub(name, 2, name.n);
	if (name.n < SECRET_NAME_MIN || name.n > SECRET_NAME_MAX)
		return;
	bool header = one_of(name, header_names, ARRAY_SIZE(header_names));
	if (behind == ':') {
		if (header)
			begin_value(r, r->start == START_LINE ? 0 : r->start_quote, r->start_level);
		return;
	}
	if (r->start != START_QUOTE ||
	    !(header || one_of(name, member_names, ARRAY_SIZE(member_names))))
		return;
	r->quote = r->start_quote;
	r->quote_level = r->start_level;
	if (behind == '\\')
		r->state = NAME_CLOSE;
	else if (behind == (char)r->quote && !r->quote_level)
		r->state = NAME_COLON;
}

static bool names_query(const struct redact *r, const struct word *w, size_t skip)
{
	size_t len = w->len - skip;
	bool amp = skip == ESCAPE_MAX && memcmp(w->head, "u0026", ESCAPE_MAX) == 0;

	if (len <= SECRET_NAME_MAX && (amp || r->before == '?' || r->before == '&') &&
	    one_of((struct sv){ w->end - len, len }, short_names, ARRAY_SIZE(short_names)))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(query_names); i++) {
		size_t n = strlen(query_names[i]);

		if (len >= n && sv_ieq((struct sv){ w->end - n, n }, query_names[i]))
			return true;
	}
	return false;
}

/* "--password x", "--password=x", "-u name:x"; also as arguments of a command line, NUL between them. */
static bool names_option(struct redact *r, const struct word *w, size_t skip, char behind)
{
	struct sv name = { w->head + skip, w->len - skip };

	if (w->len > w->head_len || !(behind == ' ' || behind == '=' || behind == '\0'))
		return false;
	if (one_of(name, option_names, ARRAY_SIZE(option_names)))
		r->state = OPTION;
	else if (one_of(name, user_options, ARRAY_SIZE(user_options)))
		r->state = USER;
	else
		return false;
	r->numbers = r->container;
	r->digits = 0;
	return true;
}

/* A header field follows in a command line that is text; in quotes it has been found already. */
static bool begins_header(struct sv word, char behind)
{
	return behind == ' ' && (sv_is(word, "-H") || sv_is(word, "--header"));
}

static bool is_program(struct sv word)
{
	return one_of(word, container_names, ARRAY_SIZE(container_names)) ||
	       one_of(word, client_names, ARRAY_SIZE(client_names));
}

/* The word at p[0..n) has ended before the byte `behind`. */
static size_t end_word(struct redact *r, char *p, size_t n, char behind)
{
	struct word w;
	size_t masked = 0;

	word_join(r, p, n, &w);
	size_t skip = w.whole ? escape_len((char)r->before, w.head, w.head_len) : 0;
	if (skip == 1 && (w.head[0] == 'n' || w.head[0] == 'r')) {
		r->start = START_ESCAPED;
		r->start_quote = '"';
		r->start_level = escape_level(r->slashes);
	}
	bool line_goes_on = skip == 1 && w.len == 1 && strchr("nrt", w.head[0]);
	if (w.whole && w.head_len > skip && w.head[skip] == '-' &&
	    names_option(r, &w, skip, behind)) {
		;
	} else if (behind == '=') {
		if (names_query(r, &w, skip))
			r->state = QUERY;
	} else if ((class_of(behind) & NAME_END) && r->start != START_NONE &&
		   w.len <= REDACT_WORD) {
		match_name(r, (struct sv){ w.head + skip, w.len - skip }, behind);
	}
	if (w.whole &&
	    begins_header(sv_sub((struct sv){ w.head, w.head_len }, skip, w.len), behind)) {
		r->start = START_ESCAPED;
		r->start_quote = '"';
		r->start_level = ANY_LEVEL;
	} else if (!line_goes_on) {
		r->start = START_NONE;
	}

	if (w.whole && is_program((struct sv){ w.head + skip, w.len - skip }))
		r->container = one_of((struct sv){ w.head + skip, w.len - skip }, container_names,
				      ARRAY_SIZE(container_names));
	word_token(r, &w);
	word_jwt(r, &w, p, n);
	if (r->token_at && w.len >= (size_t)r->token_at + r->token_min)
		masked = mask_token(r, &w, p, n);
	r->word_len = 0;
	return masked;
}

/* The piece ends inside or right behind the word at p[0..n). */
static size_t cut_word(struct redact *r, char *p, size_t n)
{
	struct word w;

	word_join(r, p, n, &w);
	word_token(r, &w);
	word_jwt(r, &w, p, n);
	r->dots = has_dots(r, p, n);
	size_t keep = w.len < REDACT_WORD ? w.len : REDACT_WORD;
	memmove(r->word, w.end - keep, keep);
	r->word_len = w.len < REDACT_WORD_LEN_MAX ? (unsigned int)w.len : REDACT_WORD_LEN_MAX;
	return r->token_at ? mask_token(r, &w, p, n) : 0;
}

/* Takes note of a byte that is in no word. */
static void pass(struct redact *r, char c)
{
	unsigned char k = class_of(c);

	if (k & LINE) {
		r->start = START_LINE;
	} else if (k & QUOTE) {
		r->start = START_QUOTE;
		r->start_quote = (unsigned char)c;
		r->start_level = quote_level(r->slashes);
	} else if (!(k & INDENT) || r->start == START_QUOTE) {
		r->start = START_NONE;
	}
	if (k & BACKSLASH)
		r->slashes++;
	else
		r->slashes = 0;
	r->before = (unsigned char)c;
	if (r->container && (c == '\n' || c == ';' || c == '|' || c == '&'))
		r->container = false;
}

static size_t word_end(const struct redact *r, const char *p, size_t i, size_t n)
{
	size_t begin = i;

	for (;;) {
		while (i < n && (class_of(p[i]) & WORD))
			i++;
		if (i == n || !goes_on(r, p + begin, i - begin, p[i]))
			return i;
		i++;
	}
}

/* Nearly all words are too short for a token, and nothing behind them makes them a name. */
static bool may_matter(const struct redact *r, const char *p, size_t len, char behind)
{
	return p[0] == '-' || len >= TOKEN_WORD_MIN || behind == '=' || r->before == '\\' ||
	       ((len == 4 || len == 6) && is_program((struct sv){ p, len })) ||
	       (len >= SECRET_NAME_MIN && (class_of(behind) & NAME_END));
}

/* The name of a user goes on with these bytes, which are words as others are: it may be a token. */
static void name_goes_on(struct redact *r, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->numbers &= is_digit(p[i]);
}

/* ... or ends here; word: behind one. */
static void name_ends(struct redact *r, char c, bool word)
{
	r->naming = r->state == TEXT && (unsigned char)c > ' ' && c != ':' && c != '\\' &&
		    !(class_of(c) & QUOTE);
	if (r->state == TEXT && c == ':')
		r->state = word && r->numbers ? USER_GROUP : QUERY;
	r->numbers = false;
}

static size_t in_text(struct redact *r, char *p, size_t i, size_t n, size_t *masked)
{
	while (i < n && r->state == TEXT) {
		if (!r->word_len && !(class_of(p[i]) & WORD)) {
			if (r->naming)
				name_ends(r, p[i], false);
			pass(r, p[i++]);
			continue;
		}
		size_t end = word_end(r, p, i, n);
		if (r->naming)
			name_goes_on(r, p + i, end - i);
		if (end == n && !r->last) {
			*masked += cut_word(r, p + i, n - i);
			return n;
		}
		char behind = end < n ? p[end] : '\0';
		if (r->word_len || may_matter(r, p + i, end - i, behind))
			*masked += end_word(r, p + i, end - i, behind);
		else
			r->start = START_NONE;
		r->slashes = 0;
		if (r->naming)
			name_ends(r, behind, true);
		pass(r, behind);
		i = end + 1;
	}
	return i < n ? i : n;
}

/* The states between a quoted name and its value; false: this is no such pair, c is text again. */
static bool between(struct redact *r, char c)
{
	bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
	/* Another kind or level of quote ends a string around these. */
	bool quote = c == (char)r->quote && quote_level(r->slashes) == r->quote_level;

	switch (r->state) {
	case NAME_CLOSE:
		if (quote)
			r->state = NAME_COLON;
		else if (c != '\\')
			return false;
		break;
	case NAME_COLON:
		if (c == ':')
			r->state = VALUE_OPEN;
		else if (!space)
			return false;
		break;
	default:
		if (quote)
			r->state = VALUE_LEAD;
		else if (!space && c != '\\' && c != '[')
			return false;
		break;
	}
	pass(r, c);
	return true;
}

/* Its value is an argument, blanks and all, or a word. */
static void begin_option(struct redact *r)
{
	r->state = r->before ? QUERY : VALUE;
	r->quote = 0;
	r->slashes = 0;
}

/* Blanks, quotes and backslashes before the value of an option; c is still to be looked at. */
static bool leads(struct redact *r, char c)
{
	if (c == ' ' || c == '\t' || c == '\\' || (class_of(c) & QUOTE)) {
		pass(r, c);
		return true;
	}
	if (c == '-' || (class_of(c) & LINE)) {
		r->state = TEXT;
	} else if (r->state == USER) {
		r->state = TEXT;
		r->naming = true;
	} else {
		begin_option(r);
	}
	return false;
}

enum verdict { HIDE, SHOW, STOP };

/* A byte of a value that ends where a query's would, or the line. */
static enum verdict judge_query(char c)
{
	return c == '&' || c == '#' || c == ' ' || c == '\t' || c == '\\' ||
			       (class_of(c) & (QUOTE | LINE))
		       ? STOP
		       : HIDE;
}

/* A password where it is no number; hidden while it may still be none. */
static size_t in_user_group(struct redact *r, char *p, size_t i, size_t n, size_t *masked)
{
	size_t end = i, digits;

	while (end < n && is_digit(p[end]))
		end++;
	digits = r->digits + (end - i);
	if (digits > ID_DIGITS || (end < n && judge_query(p[end]) == HIDE)) {
		r->state = QUERY;
		return i;
	}
	if (end == n && !r->last) {
		*masked += mask(p + i, n - i);
		r->digits = (unsigned char)digits;
		return n;
	}
	while (i < end)
		pass(r, p[i++]);
	r->state = TEXT;
	r->start = START_NONE;
	return i;
}

/* "Bearer " stays to be seen, but not before the blank proves that it is no secret. */
static size_t in_scheme(struct redact *r, char *p, size_t i, size_t n, size_t *masked)
{
	size_t begin = i;

	while (i < n && (class_of(p[i]) & WORD) && r->word_len < REDACT_WORD)
		r->word[r->word_len++] = p[i++];
	bool known = one_of((struct sv){ r->word, r->word_len }, schemes, ARRAY_SIZE(schemes));
	bool scheme = known && i < n && p[i] == ' ';
	if (!scheme)
		*masked += mask(p + begin, i - begin);
	if (i == n)
		return n;
	r->state = VALUE;
	r->word_len = 0;
	r->slashes = 0;
	r->escape = 0;
	return scheme ? i + 1 : i;
}

/* A byte of a value in quotes: it ends at a quote of its own level or of one further out. */
static enum verdict judge_quoted(struct redact *r, char c)
{
	uint16_t slashes = r->slashes;

	if (c == '\\') {
		r->slashes++;
		return SHOW;
	}
	if (c == '"' || c == (char)r->quote) {
		if (quote_level(slashes) <= r->quote_level)
			return STOP;
		r->slashes = 0;
		return SHOW;
	}
	if (slashes && escape_level(slashes) <= r->quote_level) {
		if (c == 'n' || c == 'r')
			return STOP;
		r->slashes = 0;
		r->escape = c == 'u' ? 4 : 0;
		return SHOW;
	}
	r->slashes = 0;
	if (r->escape && is_hex(c)) {
		r->escape--;
		return SHOW;
	}
	r->escape = 0;
	return HIDE;
}

static enum verdict judge(struct redact *r, char c)
{
	if (class_of(c) & LINE)
		return STOP;
	if (r->state == QUERY)
		return judge_query(c);
	if (r->quote)
		return judge_quoted(r, c);
	return c == '"' || c == '\\' ? SHOW : HIDE;
}

static size_t in_value(struct redact *r, char *p, size_t i, size_t n, size_t *masked)
{
	for (; i < n; i++) {
		enum verdict v = judge(r, p[i]);

		if (v == HIDE)
			*masked += mask(p + i, 1);
		if (v == STOP)
			break;
	}
	if (i == n)
		return n;
	/* The byte at i is text again; a backslash may be before it. */
	r->state = TEXT;
	r->start = START_NONE;
	r->before = r->slashes ? '\\' : '*';
	return i;
}

size_t redact_bytes(struct redact *r, char *p, size_t n)
{
	size_t i = 0, masked = redact_pem(&r->pem, p, n);

	while (i < n) {
		switch (r->state) {
		case TEXT:
			i = in_text(r, p, i, n, &masked);
			break;
		case NAME_CLOSE:
		case NAME_COLON:
		case VALUE_OPEN:
			if (between(r, p[i]))
				i++;
			else
				r->state = TEXT;
			break;
		case VALUE_LEAD:
			if (p[i] == ' ' || p[i] == '\t')
				i++;
			else
				r->state = VALUE_SCHEME;
			break;
		case OPTION:
		case USER:
			i += leads(r, p[i]);
			break;
		case USER_GROUP:
			i = in_user_group(r, p, i, n, &masked);
			break;
		case VALUE_SCHEME:
			i = in_scheme(r, p, i, n, &masked);
			break;
		default:
			i = in_value(r, p, i, n, &masked);
			break;
		}
	}
	return masked + redact_url(&r->url, p, n, r->last);
}

size_t redact_text(char *p, size_t n)
{
	struct redact r = { .last = true };

	return redact_bytes(&r, p, n);
}

size_t redact_member(struct sv name, char *p, size_t n)
{
	struct redact r = { .last = true };

	if (one_of(name, header_names, ARRAY_SIZE(header_names)) ||
	    one_of(name, member_names, ARRAY_SIZE(member_names)))
		begin_value(&r, 0, 0);
	return redact_bytes(&r, p, n);
}
