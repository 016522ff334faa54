/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this room share.  seal.c finds what a connection speaks; http1.c, http2.c and
 * websocket.c walk over framing; hpack.c rewrites header blocks, body.c bodies, zip.c and inflate.c with
 * mask.c what is deflated; events.c finds texts that events cut in pieces, and joined.c masks them.  Bytes are
 * changed where they lie: p[0..n) is a part of the record that is being written, and what came before it cannot
 * be changed any more.
 */
#ifndef RINGSPAN_SEAL_INT_H
#define RINGSPAN_SEAL_INT_H

#include "base/buf.h"
#include "base/map.h"
#include "base/redact.h"
#include "proto/decode.h"
#include "proto/http1_int.h"
#include "proto/http2_int.h"
#include "seal/seal.h"

#define SEAL_BATCH (64u << 10) /* decoded bytes that are looked at together */
#define SEAL_BLOCKS 255        /* of deflate, that may be in a batch */
#define SEAL_CODES 288         /* of literals and lengths */
#define SEAL_RUN 64            /* symbols that are chosen together */
#define SEAL_STRING (4u << 10) /* bytes of an HPACK string that are looked at together */

/* A symbol of Huffman code, by where it begins; before 0 in what was written before. */
struct seal_symbol {
	int32_t bit;
	unsigned char len, ch;
};

/* What a deflate stream says: a literal, or a copy of `len` bytes. */
struct seal_token {
	uint32_t bit;  /* where it begins, in the input */
	uint32_t out;  /* where its first byte is, in the output */
	uint16_t len;  /* 0: a literal */
	uint16_t dist; /* less one */
	uint8_t bits;  /* of a literal's code; 0: in a stored block */
	uint8_t extra,
		extra_at; /* bits of the distance that are a number, and where behind `bit` */
	uint8_t block;
};

/* What literals of a deflate block can be replaced with: for each length of code one symbol. */
struct seal_block {
	uint32_t words,
		any; /* lengths of which there is one: a byte of a word, or any that is harmless */
	unsigned char ch[16];
	uint16_t code[16];
	uint16_t end_code; /* that ends the block */
	uint8_t end_bits;
};

#define SEAL_EOS 256     /* RFC 7541, 5.2 */
#define SEAL_CODE_MAX 30 /* bits of HPACK's Huffman code */

/* Symbols of it in the order of their codes; of each length where they begin, and the first code. */
struct seal_huffman {
	uint16_t symbols[SEAL_EOS + 1], begin[SEAL_CODE_MAX + 2];
	uint32_t first[SEAL_CODE_MAX + 1], codes[SEAL_EOS + 1];
};

#define SEAL_PIECES 4096 /* of texts, that wait to be masked together */

/* A piece of a text: its bytes, or what an escape of JSON says. */
struct seal_piece {
	char *p; /* digits of an escape that may be rewritten, the last ones of it */
	uint32_t len, next;
	uint16_t unit; /* of UTF-16 */
	bool escape;
};

/* A text that comes in pieces. */
struct seal_joined {
	struct redact redact;
	struct seal_joined *next; /* of those that wait */
	uint32_t first, last;     /* pieces */
	bool waits;
	bool colon;      /* there was one, and little enough */
	char behind[40]; /* stands behind it */
	uint8_t behind_len;
};

/* Memory and numbers that all of it shares. */
struct seal_work {
	uint64_t lost;              /* bytes that were made zeros */
	unsigned int inflates;      /* that are open */
	unsigned int walks;         /* likewise */
	struct seal_joined *joined; /* texts that wait to be masked, */
	uint32_t piece_cnt;         /* and their pieces */
	struct seal_piece pieces[SEAL_PIECES];
	char together[EV_SIZE_MAX + SEAL_BATCH];
	struct seal_huffman huffman;
	struct seal_symbol symbols[SEAL_STRING * 8 / 5 + 16];
	char text[EV_SIZE_MAX + SEAL_BATCH]; /* to be masked, as it was */
	unsigned char
		in[EV_SIZE_MAX + 32]; /* of a deflate stream, behind what is left from before */
	struct seal_block blocks[SEAL_BLOCKS + 1];
	/* the code of literals that a piece begins with */
	uint16_t first_codes[SEAL_CODES];
	uint8_t first_lens[SEAL_CODES];
	struct seal_token tokens[SEAL_BATCH + 512];
	size_t token_cnt;
};

/* Overwrites what cannot be kept. */
void seal_blank(struct seal_work *w, char *p, size_t n);
/* Is it no text?  Counts control characters and what is no UTF-8; a sequence may be cut at either end. */
bool seal_is_binary(struct sv bytes);
/*
 * Masks p[0..n) as redact_bytes() does, of a stream that event_scrub() saw in another context, and
 * has masked in parts.
 */
void seal_text(struct seal_work *w, struct redact *r, char *p, size_t n);

/* --- joined.c: nothing is masked before seal_joined_flush(), until when all pieces must stay where they are */

void seal_joined_add(struct seal_work *w, struct seal_joined *t, char *p, size_t n);
/* digits: the last n of the four of "\uXXXX". */
void seal_joined_escape(struct seal_work *w, struct seal_joined *t, uint16_t unit, char *digits,
			size_t n);
void seal_joined_flush(struct seal_work *w);

/* --- events.c */

struct seal_walk;

/* A stream that may be one of events.  All zero is the start of one. */
struct seal_events {
	struct seal_walk *walk;
	bool none;
};

/* Adds what its strings say to texts; packed: escapes are left as they are. */
void seal_events_feed(struct seal_work *w, struct seal_events *s, char *p, size_t n, bool packed);
/* What comes next is an event of its own. */
void seal_events_message(struct seal_events *s);
void seal_events_hole(struct seal_events *s);
void seal_events_fini(struct seal_work *w, struct seal_events *s);

/* --- fill.c */

/*
 * Finds n lengths of codes that add up to `bits`; lens[0..n) then tells nothing but their sum of what it
 * replaces.  have: bit l: there is a code of that length, up to 31.  n: SEAL_RUN at most.
 */
bool seal_fill(uint32_t have, unsigned int n, unsigned int bits, uint8_t *lens);

/* --- inflate.c, mask.c: RFC 1951 */

enum seal_check { CHECK_NONE, CHECK_CRC32, CHECK_ADLER32 };
enum seal_zstate { ZIP_MORE, ZIP_END, ZIP_BROKEN };

#define SEAL_FAST 9 /* bits of a code that are looked up at once */

struct seal_code {
	uint16_t fast[1 << SEAL_FAST]; /* symbol << 4 | length; 0: it is longer, or none */
	uint16_t count[16], symbol[SEAL_CODES];
};

enum seal_istate {
	INFLATE_BLOCK,
	INFLATE_STORED_LEN,
	INFLATE_STORED,
	INFLATE_COUNTS,
	INFLATE_CLENS,
	INFLATE_LENS,
	INFLATE_SYMBOLS,
	INFLATE_OVER,
	INFLATE_BROKEN,
};

struct seal_inflate {
	enum seal_istate state;
	bool final;
	bool altered;                 /* something of the window is not as it was sent */
	bool cut;                     /* its end was written where it could not be masked */
	unsigned char carry[8];       /* bytes that are not done with; */
	uint8_t carry_len, carry_bit; /* how many, and bits of the first one that are */
	uint8_t pend_cnt;             /* bits that are still to be written; then all is zero */
	uint64_t pend;
	uint32_t left; /* bytes of a stored block */
	unsigned int lit_cnt, dist_cnt, clen_cnt, at;
	uint8_t lens[SEAL_CODES + 32];
	uint16_t codes[SEAL_CODES]; /* of lit */
	struct seal_code lit, dist;
	struct seal_block block;
	char *sent, *now; /* the window: as it was sent, and as it is now */
	bool *hidden;     /* this byte was masked */
	size_t len, cap;
	struct redact redact;
	struct seal_events events;
	uint64_t taken, given;
	enum seal_check check;
	uint32_t sum; /* of what it decodes to now */
};

/* NULL: there is no memory for it, or too many are open. */
struct seal_inflate *seal_inflate_new(struct seal_work *w, enum seal_check check);
void seal_inflate_free(struct seal_work *w, struct seal_inflate **z);
/* Takes bytes up to the end of the stream; how many.  ZIP_BROKEN: all of them are done with. */
size_t seal_inflate_feed(struct seal_work *w, struct seal_inflate *z, char *p, size_t n,
			 enum seal_zstate *state);
/* Another stream, or the same behind its end, begins; the window stays. */
void seal_inflate_next(struct seal_inflate *z);
void seal_inflate_break(struct seal_inflate *z); /* all that follows is made zeros */

/* Masks what w->tokens made of w->in, whose bits before `floor` are written already; from: where its output is. */
bool seal_mask(struct seal_work *w, struct seal_inflate *z, size_t from, uint32_t floor,
	       uint32_t end);

/* --- zip.c: RFC 1950, 1952 */

struct seal_zip;

struct seal_zip *seal_zip_new(struct seal_work *w, bool gzip);
void seal_zip_free(struct seal_work *w, struct seal_zip **z);
void seal_zip_feed(struct seal_work *w, struct seal_zip *z, char *p, size_t n);
void seal_zip_break(struct seal_zip *z);

/* --- body.c */

enum seal_coding {
	SEAL_PLAIN,
	SEAL_GZIP,
	SEAL_DEFLATE,
	SEAL_BR,
	SEAL_ZSTD,
	SEAL_GUESS, /* what it is cannot be known, or it is several */
};

/* MASKED: event_scrub() saw all of it as one text. */
enum seal_kind { KIND_TEXT, KIND_MASKED, KIND_GUESS, KIND_ZIP, KIND_DECODE, KIND_BLANK };

struct seal_body;

/* Whoever looks at what is decoded. */
struct seal_looker {
	struct seal_work *w;
	struct seal_body *b;
};

struct seal_body {
	enum seal_kind kind;
	bool begun;
	bool found; /* a secret, where it cannot be masked */
	bool whole; /* what is decoded says nothing before its end */
	struct redact redact;
	struct seal_events events;
	struct seal_zip *zip;
	struct decode *decode;
	uint64_t decoded; /* bytes */
	struct seal_looker looker;
	/* gRPC: messages that are compressed each by itself */
	bool grpc;
	uint8_t head_len;
	unsigned char head[5];
	uint32_t left;
	enum seal_coding message; /* how */
	struct seal_body *inner;  /* one that is compressed */
};

enum seal_coding seal_coding_of(const struct coding_list *l);
void seal_body_open(struct seal_work *w, struct seal_body *b, enum seal_coding coding);
/* Its messages are compressed in that way, where they are. */
void seal_body_grpc(struct seal_body *b, enum seal_coding coding);
void seal_body_feed(struct seal_work *w, struct seal_body *b, char *p, size_t n);
void seal_body_hole(struct seal_work *w, struct seal_body *b);
void seal_body_fini(struct seal_work *w, struct seal_body *b);

/* --- websocket.c: RFC 6455, 7692 */

struct seal_ws;

struct seal_ws *seal_ws_new(void);
void seal_ws_free(struct seal_work *w, struct seal_ws **ws);
void seal_ws_feed(struct seal_work *w, struct seal_ws *ws, char *p, size_t n);
void seal_ws_hole(struct seal_work *w, struct seal_ws *ws, uint64_t n);

/* --- hpack.c: RFC 7541 */

/* What a header block says of how its body travels. */
struct seal_head {
	enum seal_coding coding, grpc_coding;
	bool grpc, websocket;
	bool unknown; /* fields cannot be known */
};

struct seal_hpack;

void seal_huffman_make(struct seal_huffman *h);
struct seal_hpack *seal_hpack_new(void);
void seal_hpack_free(struct seal_hpack **h);
void seal_hpack_begin(struct seal_hpack *h); /* a block */
void seal_hpack_feed(struct seal_work *w, struct seal_hpack *h, char *p, size_t n);
/* The block is over. */
void seal_hpack_end(struct seal_hpack *h, struct seal_head *head);
/* Entries may have been added that were not seen; the rest of an open block is lost. */
void seal_hpack_lose(struct seal_hpack *h);

/* --- http1.c, http2.c */

struct seal_http1;
enum seal_upgrade { UPGRADE_NONE, UPGRADE_WEBSOCKET, UPGRADE_OTHER };

/* Which requests wait for an answer, of both directions. */
struct seal_asked {
	uint8_t kind[LIMIT_HTTP_PIPELINE];
	unsigned int first, cnt;
};

struct seal_http1 *seal_http1_new(enum http_dir dir, struct seal_asked *asked, bool lost);
/* It is a direction of another connection now. */
void seal_http1_move(struct seal_http1 *h, struct seal_asked *asked);
void seal_http1_free(struct seal_work *w, struct seal_http1 **h);
/* How many bytes it took; less than n where another protocol begins, which *next tells. */
size_t seal_http1_feed(struct seal_work *w, struct seal_http1 *h, char *p, size_t n,
		       enum seal_upgrade *next);
void seal_http1_hole(struct seal_work *w, struct seal_http1 *h, uint64_t n);

struct seal_http2;

/* preface: that of a client comes first. */
struct seal_http2 *seal_http2_new(bool preface, bool lost);
void seal_http2_free(struct seal_work *w, struct seal_http2 **h);
void seal_http2_feed(struct seal_work *w, struct seal_http2 *h, char *p, size_t n);
void seal_http2_hole(struct seal_work *w, struct seal_http2 *h, uint64_t n);
/* The other direction of the same connection; NULL: it is gone. */
void seal_http2_pair(struct seal_http2 *h, const struct seal_http2 *other);
/* Where frames begin in bytes of which nothing is known; false: there are none. */
bool seal_http2_find(struct sv bytes, size_t *at);

#endif
