/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process may be gone by now: the record says by build id which files its frames are in, and files
 * that were mapped by traced processes are known by theirs.  A file that cannot be opened any more, or is
 * another, leaves its frames without symbols.
 */
#include "probe/stack.h"

#include <errno.h>
#include <string.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "probe/elf.h"
#include "probe/fact.h"
#include "probe/insn.h"

#define OFFSET_MAX (1ull << 62) /* in a file; above it, a difference went below 0 */
#define PATH_SHOWN 256          /* bytes; a longer one is not */

struct frame {
	const struct ev_frame *rec;
	struct elf_place
		place;    /* of the instruction itself: a caller's is before where it goes on */
	const char *path; /* NULL: only its build id is known */
	bool in_file;     /* else only its address is known */
	bool opened;      /* place and by_call are known */
	bool by_call;
	bool done; /* its file was looked at */
};

struct stack {
	const struct ev_signal *sig;
	struct frame *frames;
	size_t cnt;
	struct arena arena;
};

static void look_at_frame(struct frame *f, const struct elf_file *elf, bool caller)
{
	unsigned char code[INSN_CALL_MAX];
	__u64 at = f->rec->offset;

	f->place.addr = elf_code_addr(elf, at - caller);
	f->opened = true;
	f->in_file = f->place.addr != 0;
	f->by_call = f->in_file && at >= sizeof(code) &&
		     !elf_pread(elf, at - sizeof(code), code, sizeof(code)) &&
		     insn_is_call(elf_machine(), code, sizeof(code));
}

static bool same_module(const struct frame *a, const struct frame *b)
{
	return b->rec->in_file &&
	       memcmp(a->rec->build_id, b->rec->build_id, sizeof(a->rec->build_id)) == 0;
}

/* All frames in the file of the first of them: its symbols are read once. */
static void look_at_module(struct stack *s, size_t first, struct elf_file *elf)
{
	struct elf_place places[EV_FRAMES_MAX];
	size_t n = 0;

	for (size_t i = first; i < s->cnt; i++) {
		if (!same_module(&s->frames[first], &s->frames[i]))
			continue;
		look_at_frame(&s->frames[i], elf, i > 0);
		places[n++].addr = s->frames[i].place.addr;
	}
	elf_name_places(elf, places, n); /* without symbols there are no names */
	n = 0;
	for (size_t i = first; i < s->cnt; i++)
		if (same_module(&s->frames[first], &s->frames[i]))
			s->frames[i].place = places[n++];
}

static void open_module(struct stack *s, struct files *fs, size_t first)
{
	const unsigned char *id = s->frames[first].rec->build_id;
	__u32 pid = s->sig->hdr.tgid;
	struct elf_file *elf = NULL;
	const char *path = NULL;
	_cleanup_close_ int fd = files_open_build(fs, pid, id, &path);

	if (fd == -ESRCH) { /* it may be there still */
		files_hook_process(fs, pid);
		fd = files_open_build(fs, pid, id, &path);
	}
	if (path && strlen(path) <= PATH_SHOWN)
		path = arena_dup(&s->arena, (struct sv){ path, strlen(path) }).p;
	else
		path = NULL;
	if (fd >= 0 && !elf_file_new(&elf, fd))
		look_at_module(s, first, elf);
	elf_file_free(&elf);
	for (size_t i = first; i < s->cnt; i++) {
		if (!same_module(&s->frames[first], &s->frames[i]))
			continue;
		s->frames[i].path = path;
		s->frames[i].done = true;
	}
}

/* Where frame pointers lead astray, they lead to what nothing was called from. */
static bool is_caller(const struct frame *f)
{
	return f->in_file && (!f->opened || f->by_call);
}

static void resolve(struct stack *s, struct files *fs)
{
	for (size_t i = 0; i < s->cnt; i++) {
		if (s->frames[i].in_file && !s->frames[i].done)
			open_module(s, fs, i);
		if (i && !is_caller(&s->frames[i]))
			s->cnt = i;
	}
}

/* A file's name and symbols are the traced program's: one line stays one line. */
static void add_text(struct buf *b, const char *text)
{
	for (; *text; text++)
		buf_ch(b, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void write_file(struct buf *b, const struct frame *f)
{
	if (f->path) {
		add_text(b, f->path);
		return;
	}
	buf_str(b, "build id ");
	for (size_t i = 0; i < EV_BUILD_ID; i++)
		buf_fmt(b, "%02x", f->rec->build_id[i]);
}

/* Addresses are the file's own, as addr2line takes them, where it could be asked for them. */
static void write_frame(struct buf *b, const struct frame *f, size_t nr)
{
	const struct ev_frame *rec = f->rec;
	__u64 addr = f->place.addr + (nr > 0);

	buf_fmt(b, "#%zu ", nr);
	if (!f->in_file) {
		buf_fmt(b, "?? (at 0x%llx, in no known file)\n", rec->ip);
		return;
	}
	if (f->opened && f->place.name[0]) {
		add_text(b, f->place.name);
		buf_fmt(b, "+0x%llx (", addr - f->place.start);
	} else {
		buf_str(b, "?? (");
	}
	write_file(b, f);
	if (f->opened)
		buf_fmt(b, "+0x%llx)\n", addr);
	else
		buf_fmt(b, ", file offset 0x%llx)\n", rec->offset);
}

static int tell(struct stack *s, struct buf *facts)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < s->cnt; i++)
		write_frame(&b, &s->frames[i], i);
	if (b.err)
		return b.err;
	return fact_stack(facts, s->sig,
			  s->cnt > 1 ? EV_STACK_FRAME_POINTER
			  : s->cnt   ? EV_STACK_TOP
				     : EV_STACK_NONE,
			  buf_view(&b));
}

int stack_tell(struct files *fs, const struct ev_signal *sig)
{
	const struct ev_frame *recs = (const void *)(sig + 1);
	size_t cnt = sig->frames < EV_FRAMES_MAX ? sig->frames : EV_FRAMES_MAX;
	struct stack s = { .sig = sig, .cnt = cnt };
	int err;

	s.frames = calloc(cnt + 1, sizeof(*s.frames));
	if (!s.frames)
		return -ENOMEM;
	arena_init(&s.arena, 0);
	for (size_t i = 0; i < cnt; i++) {
		s.frames[i].rec = &recs[i];
		/* an address that is not mapped is told as one before what is mapped next */
		s.frames[i].in_file = recs[i].in_file && recs[i].offset <= OFFSET_MAX;
	}
	resolve(&s, fs);
	err = tell(&s, fs->facts);
	arena_fini(&s.arena);
	free(s.frames);
	return err;
}
