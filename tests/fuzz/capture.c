// SPDX-License-Identifier: BSD-2-Clause
/*
 * A whole capture file through all that replay does: reading and checking records, scrubbing, process
 * tree, connections, protocols, meanings, spans, a sink.  What the JSON sinks print must be JSON.
 *
 * Input: a byte that chooses the sink and what is told of it, then the file.  The mutator changes
 * records and keeps them records, else next to none would pass the first check.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/session.h"
#include "event/event.h"

#define FILE_HDR 16
#define RECORDS_MAX 1024

enum choice { CHOICE_SINK = 7, CHOICE_PAYLOAD = 8, CHOICE_DISCOVER = 16, CHOICE_NO_REDACT = 32 };

static void on_found(void *ctx, uint32_t tgid, uint64_t start)
{
	(void)ctx;
	(void)tgid;
	(void)start;
}

/* Every line of ndjson is a JSON text, and so is the whole of otlp-json. */
static void check_json(struct sv text, bool lines)
{
	while (text.n) {
		struct sv line = lines ? sv_token(&text, '\n') : text;
		_cleanup_arena_ struct arena a;
		struct json_err err = { 0 };

		arena_init(&a, 0);
		if (!json_is(json_parse(&a, line, &err), JSON_OBJECT) || err.cut || err.broken)
			fuzz_fail("no JSON at byte %zu: " SV_FMT, err.offset, SV_ARG(line));
		if (!lines)
			break;
	}
}

static void capture_run(struct sv input)
{
	unsigned int choice = fuzz_byte(&input);
	_cleanup_close_ int fd = fuzz_file(input);
	struct session_cfg cfg = {
		.sink = sinks[(choice & CHOICE_SINK) % sink_cnt],
		.found = choice & CHOICE_DISCOVER ? on_found : NULL,
		.no_redact = choice & CHOICE_NO_REDACT,
		.sink_cfg = { .payload = choice & CHOICE_PAYLOAD,
			      .files = choice & CHOICE_PAYLOAD },
	};
	size_t n = 0;
	char *text = NULL, path[64];
	FILE *out = open_memstream(&text, &n);

	if (!out)
		fuzz_fail("out of memory");
	cfg.sink_cfg.out = out;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	session_replay(&cfg, path);
	fclose(out);
	if (!strcmp(cfg.sink->name, "ndjson"))
		check_json((struct sv){ text, n }, true);
	else if (!strcmp(cfg.sink->name, "otlp-json"))
		check_json((struct sv){ text, n }, false);
	free(text);
}

/* --- changing records */

struct place {
	size_t at, size; /* with its padding */
};

static size_t padded(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static struct ev_hdr header_of(const char *p)
{
	struct ev_hdr h;

	memcpy(&h, p, sizeof(h));
	return h;
}

static size_t find_records(const char *p, size_t n, struct place *of)
{
	size_t cnt = 0, at = 1 + FILE_HDR;

	while (cnt < RECORDS_MAX && at + sizeof(struct ev_hdr) <= n) {
		struct ev_hdr h = header_of(p + at);

		if (h.size < sizeof(h) || h.size > EV_SIZE_MAX || padded(h.size) > n - at)
			break;
		of[cnt++] = (struct place){ at, padded(h.size) };
		at += padded(h.size);
	}
	return cnt;
}

/* Cuts out p[at..at + old) and makes room for new bytes there; false where that is too much. */
static bool resize(char *p, size_t *n, size_t max, size_t at, size_t old, size_t new)
{
	if (*n - old + new > max)
		return false;
	memmove(p + at + new, p + at + old, *n - at - old);
	*n = *n - old + new;
	return true;
}

/* Payload of DATA may grow or shrink; what comes behind it in its stream moves on. */
static size_t mutate_data(char *p, size_t n, size_t max, const struct place *of, size_t cnt,
			  size_t which)
{
	static char bytes[EV_SIZE_MAX + 8];
	struct ev_data d;
	size_t len;

	memcpy(&d, p + of[which].at, sizeof(d));
	if (d.hdr.size != sizeof(d) + (size_t)d.len)
		return n;
	memcpy(bytes, p + of[which].at + sizeof(d), d.len);
	len = LLVMFuzzerMutate((uint8_t *)bytes, d.len, sizeof(bytes) - sizeof(d) - 8);
	for (size_t i = which + 1; i < cnt; i++) {
		struct ev_data later;

		if (of[i].size < sizeof(later) || header_of(p + of[i].at).kind != EV_DATA)
			continue;
		memcpy(&later, p + of[i].at, sizeof(later));
		if (later.conn != d.conn || later.dir != d.dir)
			continue;
		later.pos += len - d.len;
		memcpy(p + of[i].at, &later, sizeof(later));
	}
	if (!resize(p, &n, max, of[which].at, of[which].size, padded(sizeof(d) + len)))
		return n;
	d.len = (uint32_t)len;
	d.hdr.size = (uint32_t)(sizeof(d) + len);
	memset(p + of[which].at, 0, padded(d.hdr.size));
	memcpy(p + of[which].at, &d, sizeof(d));
	memcpy(p + of[which].at + sizeof(d), bytes, len);
	return n;
}

/* Fields and payload change, the size and the kind do not. */
static void mutate_same(char *p, size_t size, bool header)
{
	static char bytes[EV_SIZE_MAX + 8];
	size_t skip = header ? 8 : sizeof(struct ev_hdr), n = size - skip, got;

	if (!n)
		return;
	memcpy(bytes, p + skip, n);
	got = LLVMFuzzerMutate((uint8_t *)bytes, n, n);
	memcpy(p + skip, bytes, got);
}

/* It becomes one of the same process, of another time, of another connection as another is. */
static void borrow(char *p, const struct place *to, const struct place *from, unsigned int what)
{
	struct ev_hdr h = header_of(p + to->at), o = header_of(p + from->at);

	if (what & 1) {
		h.tgid = o.tgid;
		h.start = o.start;
	}
	if (what & 2)
		h.tid = o.tid;
	if (what & 4)
		h.ts = o.ts;
	memcpy(p + to->at, &h, sizeof(h));
	if (what & 8 && to->size >= sizeof(h) + 8 && from->size >= sizeof(h) + 8)
		memcpy(p + to->at + sizeof(h), p + from->at + sizeof(h), 8); /* conn, of most */
}

/* A copy of one record before another one. */
static size_t copy_record(char *p, size_t n, size_t max, struct place from, size_t at)
{
	static char rec[EV_SIZE_MAX + 8];

	memcpy(rec, p + from.at, from.size);
	if (resize(p, &n, max, at, 0, from.size))
		memcpy(p + at, rec, from.size);
	return n;
}

static size_t capture_mutate(char *p, size_t n, size_t max, unsigned int seed)
{
	static struct place of[RECORDS_MAX];
	size_t cnt = find_records(p, n, of), a, b;

	if (cnt < 2 || seed % 16 == 0)
		return LLVMFuzzerMutate((uint8_t *)p, n, max);
	a = seed / 16 % cnt;
	b = seed / 4099 % cnt;
	switch (seed % 16) {
	case 1:
		p[0] = (char)(seed >> 8);
		return n;
	case 2:
		return copy_record(p, n, max, of[a], of[b].at);
	case 3:
		resize(p, &n, max, of[a].at, of[a].size, 0);
		return n;
	case 4:
	case 5:
		borrow(p, &of[a], &of[b], seed >> 7);
		return n;
	case 6:
		mutate_same(p + of[a].at, of[a].size, true);
		return n;
	case 7:
	case 8:
	case 9:
		mutate_same(p + of[a].at, of[a].size, false);
		return n;
	default:
		break;
	}
	for (size_t i = 0; i < cnt; i++) /* the next one with bytes */
		if (header_of(p + of[(a + i) % cnt].at).kind == EV_DATA)
			return mutate_data(p, n, max, of, cnt, (a + i) % cnt);
	mutate_same(p + of[a].at, of[a].size, false);
	return n;
}

const struct fuzz_target fuzz_capture = { "capture", capture_run, capture_mutate };
