/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One walk over segments serves all searches.  It reads instead of mapping: a mapped file that its
 * owner cuts short would kill us.  Code is searched at every byte, not instruction by instruction,
 * so what is found is a hint until its surroundings have been checked.
 */
#include "probe/scan.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (256u << 10) /* fits the second-level cache */
#define LEA_SIZE 7          /* the longest instruction that is searched for */

/* n bytes that lie at addr; the last `keep` of them begin the next window. */
typedef int (*window_fn)(void *ctx, const unsigned char *p, size_t n, __u64 addr);

static int walk_segment(const struct elf_file *f, const struct elf_segment *seg, unsigned char *buf,
			size_t keep, window_fn fn, void *ctx)
{
	__u64 at = 0;

	while (seg->size - at > keep) {
		size_t n = elf_read(f, seg->addr + at, buf, WINDOW);
		int err;

		if (n <= keep)
			return -EIO; /* the file was cut short */
		err = fn(ctx, buf, n, seg->addr + at);
		if (err)
			return err;
		at += n - keep;
	}
	return 0;
}

static int walk(const struct elf_file *f, bool exec, size_t keep, window_fn fn, void *ctx)
{
	unsigned char *buf = malloc(WINDOW);
	const struct elf_segment *segs;
	__u64 left = SCAN_BYTES;
	size_t cnt;
	int err = buf ? 0 : -ENOMEM;

	segs = elf_segments(f, &cnt);
	for (size_t i = 0; !err && i < cnt; i++) {
		if (exec ? !segs[i].exec : segs[i].write)
			continue;
		if (segs[i].size > left) {
			err = -EFBIG;
			break;
		}
		left -= segs[i].size;
		err = walk_segment(f, &segs[i], buf, keep, fn, ctx);
	}
	free(buf);
	return err;
}

struct bytes_search {
	const void *bytes;
	size_t n;
	__u64 *addrs;
	size_t max, cnt;
};

static int bytes_window(void *ctx, const unsigned char *p, size_t n, __u64 addr)
{
	struct bytes_search *s = ctx;
	const unsigned char *end = p + n, *hit = p;

	while ((hit = memmem(hit, end - hit, s->bytes, s->n))) {
		if (s->cnt >= s->max)
			return -E2BIG;
		s->addrs[s->cnt++] = addr + (hit - p);
		hit++;
	}
	return 0;
}

int scan_bytes(const struct elf_file *f, const void *bytes, size_t n, __u64 *addrs, size_t max)
{
	struct bytes_search s = { .bytes = bytes, .n = n, .addrs = addrs, .max = max };
	int err = walk(f, false, n - 1, bytes_window, &s);

	return err ? err : (int)s.cnt;
}

static __u32 u32_at(const unsigned char *p)
{
	__u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

struct ref_search {
	const __u64 *targets;
	size_t target_cnt;
	struct scan_ref *refs;
	size_t max, cnt;
};

static int add_ref(struct ref_search *s, struct scan_ref ref)
{
	if (s->cnt >= s->max)
		return -E2BIG;
	s->refs[s->cnt++] = ref;
	return 0;
}

/* lea disp32(%rip), r64 is REX.W 8D, ModRM with mod 0 and r/m 5 (Intel SDM, volume 2) */
static int lea_window(struct ref_search *s, const unsigned char *p, size_t n, __u64 addr)
{
	const unsigned char *end = p + n - LEA_SIZE + 2, *op = p + 1;

	for (; op < end && (op = memchr(op, 0x8d, end - op)); op++) {
		__u64 at = addr + (op - p) - 1;
		__u64 target = at + LEA_SIZE + (__u64)(__s64)(__s32)u32_at(op + 2);
		unsigned int reg = (op[1] >> 3 & 7) + (op[-1] == 0x4c ? 8 : 0);
		int err = 0;

		if ((op[-1] != 0x48 && op[-1] != 0x4c) || (op[1] & 0xc7) != 5)
			continue;
		for (size_t i = 0; !err && i < s->target_cnt; i++)
			if (s->targets[i] == target)
				err = add_ref(s, (struct scan_ref){ at, target, LEA_SIZE, reg });
		if (err)
			return err;
	}
	return 0;
}

/* mov $imm32, r32 is B8 + r, behind 41 for r8 and up */
static int mov_window(struct ref_search *s, __u64 target, const unsigned char *p, size_t n,
		      __u64 addr)
{
	const unsigned char *end = p + n, *imm = p + LEA_SIZE - 4;
	__u32 low = (__u32)target;

	if (low != target)
		return 0;
	for (; (imm = memmem(imm, end - imm, &low, sizeof(low))); imm++) {
		bool rex = imm[-2] == 0x41;
		__u64 at = addr + (imm - p) - 1 - rex;
		int err;

		if ((imm[-1] & 0xf8) != 0xb8)
			continue;
		err = add_ref(s, (struct scan_ref){ at, target, 5 + rex,
						    (imm[-1] & 7) + (rex ? 8 : 0) });
		if (err)
			return err;
	}
	return 0;
}

static int refs_window(void *ctx, const unsigned char *p, size_t n, __u64 addr)
{
	struct ref_search *s = ctx;
	int err = lea_window(s, p, n, addr);

	for (size_t i = 0; !err && i < s->target_cnt; i++)
		err = mov_window(s, s->targets[i], p, n, addr);
	return err;
}

int scan_refs(const struct elf_file *f, const __u64 *targets, size_t cnt, struct scan_ref *refs,
	      size_t max)
{
	struct ref_search s = { .targets = targets, .target_cnt = cnt, .refs = refs, .max = max };
	int err = walk(f, true, LEA_SIZE - 1, refs_window, &s);

	return err ? err : (int)s.cnt;
}

struct call_search {
	struct scan_calls *c;
	size_t cnt;
};

static void mark_called(struct call_search *s, __u64 target)
{
	for (size_t i = 0; i < s->cnt; i++) {
		__u64 at = target - s->c[i].low;

		if (at < SCAN_RANGE)
			s->c[i].called[at / 8] |= 1u << at % 8;
	}
}

/* E8 is call disp32 */
static int calls_window(void *ctx, const unsigned char *p, size_t n, __u64 addr)
{
	const unsigned char *end = p + n - 4, *call = p;

	while (call < end && (call = memchr(call, 0xe8, end - call))) {
		__u64 next = addr + (call - p) + 5;

		mark_called(ctx, next + (__u64)(__s64)(__s32)u32_at(call + 1));
		call++;
	}
	return 0;
}

void scan_calls_init(struct scan_calls *c, __u64 site)
{
	memset(c, 0, sizeof(*c));
	c->low = site < SCAN_RANGE ? 0 : site - SCAN_RANGE + 1;
}

int scan_calls(const struct elf_file *f, struct scan_calls *c, size_t cnt)
{
	struct call_search s = { c, cnt };

	return walk(f, true, 4, calls_window, &s);
}

bool scan_is_called(const struct scan_calls *c, __u64 addr)
{
	__u64 at = addr - c->low;

	return at < SCAN_RANGE && (c->called[at / 8] >> at % 8 & 1);
}
