/* SPDX-License-Identifier: BSD-2-Clause */
/* See frames.h. */
#include "probe/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "probe/fact.h"
#include "probe/mapping.h"
#include "probe/perfmap.h"

#define AGAIN_NS 100000000ull   /* between two looks at what changes */
#define SETTLED_NS 300000000ull /* less than what is young to bpf/sample.bpf.c */
#define PROGRAMS_MAX 1024
#define MODULES_MAX 256
#define SYMBOLS_MAX (64u << 20) /* bytes of their symbols; over it, all are read again */
#define BUILDS_MAX 4096
#define TOLD_MAX (64u << 10)      /* names of one program; then they are told anew */
#define TOLD_ALL_MAX (256u << 10) /* of kernel and files */
#define FACT_BYTES (32u << 10)    /* of one FRAMES */
#define FILE_NAME_MAX 255         /* the end of a longer path is kept */
#define PERFMAPS_MAX (256u << 20) /* bytes, of all programs */

/* A file that code is in; without symbols it is none that is understood. */
struct module {
	struct symbols *symbols;
	char *path;
};

struct build {
	struct module *module; /* NULL: not found when it was last looked for */
	__u64 looked_ts;
};

/* What runs in a process from one exec to the next. */
struct program {
	struct life life;
	__u32 tgid;
	struct mappings mappings;
	__u64 mapped_ts; /* when they were read; 0: they were not */
	bool gone;       /* it cannot be read any more */
	struct map told; /* address -> TOLD_NAME, or how often the perf map had been read */
	bool fresh;      /* what was told is to be forgotten */
	struct perfmap jit;
	__u64 jit_ts;
	uintptr_t jit_reads;
	uid_t uid;
	__u32 ns_pid; /* its id in its own namespace, which names its perf map */
};

#define TOLD_NAME ((void *)1)
#define TOLD_NONE ((void *)2)
#define TOLD_NAMELESS(reads) ((void *)((reads) + 3)) /* generated code that nobody named yet */

/* Names of one sample that go into one record. */
struct batch {
	struct ev_frames head;
	struct buf names, texts;
};

struct look {
	struct frames *f;
	struct program *program; /* NULL: out of memory */
	const struct ev_sample *s;
	struct batch all, own;
};

void frames_init(struct frames *f, struct kern *kern, struct files *files)
{
	*f = (struct frames){ .kern = kern, .files = files };
}

static void program_free(struct program *p)
{
	if (!p)
		return;
	mappings_fini(&p->mappings);
	map_fini(&p->told);
	perfmap_fini(&p->jit);
	free(p);
}

static void forget_modules(struct frames *f)
{
	map_for_each (&f->programs, e)
		for (size_t i = 0; i < ((struct program *)e->value)->mappings.cnt; i++)
			((struct program *)e->value)->mappings.of[i].looked = false;
	map_for_each (&f->builds, e)
		free(e->value);
	map_fini(&f->builds);
	map_for_each (&f->modules, e) {
		struct module *m = e->value;

		symbols_free(&m->symbols);
		free(m->path);
		free(m);
	}
	map_fini(&f->modules);
	f->symbol_bytes = 0;
	f->builds = f->modules = (struct map){ 0 };
}

void frames_fini(struct frames *f)
{
	map_for_each (&f->programs, e)
		program_free(e->value);
	map_fini(&f->programs);
	f->programs = (struct map){ 0 };
	forget_modules(f);
	map_fini(&f->kernel);
	map_fini(&f->places);
	kallsyms_free(&f->kallsyms);
}

void frames_end(struct frames *f, __u32 tgid, __u64 start)
{
	program_free(map_del(&f->programs, (struct map_key){ tgid, start, 0 }));
}

static struct program *program_get(struct frames *f, const struct ev_sample *s)
{
	struct map_key key = { s->hdr.tgid, s->hdr.start, 0 };
	struct program *p = map_get(&f->programs, key);

	if (p && p->life.exec_ts == s->exec_ts)
		return p;
	program_free(map_del(&f->programs, key));
	if (f->programs.cnt >= PROGRAMS_MAX)
		program_free(map_del(&f->programs, f->programs.first->key));
	p = calloc(1, sizeof(*p));
	if (!p || map_put(&f->programs, key, p)) {
		free(p);
		return NULL;
	}
	p->life = (struct life){ s->hdr.start, s->exec_ts };
	p->tgid = s->hdr.tgid;
	p->fresh = true;
	return p;
}

/* --- telling */

static int batch_flush(struct batch *b, struct buf *facts, const struct ev_hdr *of, __u64 exec_ts)
{
	int err = b->names.err ? b->names.err : b->texts.err;

	if (!b->head.cnt && !b->head.fresh)
		return 0;
	b->head.exec_ts = exec_ts;
	if (!err)
		err = fact_frames(facts, &b->head, of, buf_view(&b->names), buf_view(&b->texts));
	b->head = (struct ev_frames){ 0 };
	buf_clear(&b->names);
	buf_clear(&b->texts);
	return err;
}

static int flush(struct look *l, struct batch *b)
{
	static const struct ev_hdr nobody;

	if (b == &l->own)
		return batch_flush(b, l->f->files->facts, &l->s->hdr, l->s->exec_ts);
	return batch_flush(b, l->f->files->facts, &nobody, 0);
}

static void add_text(struct buf *b, struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		buf_ch(b, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? '?' : text.p[i]);
}

static int batch_add(struct look *l, struct batch *b, struct ev_name *n, struct sv name,
		     struct sv file)
{
	if (file.n > FILE_NAME_MAX)
		file = sv_sub(file, file.n - FILE_NAME_MAX, FILE_NAME_MAX);
	if (name.n > ELF_NAME_SIZE)
		name.n = ELF_NAME_SIZE;
	n->len = (__u16)name.n;
	n->file_len = (__u16)file.n;
	buf_add(&b->names, n, sizeof(*n));
	add_text(&b->texts, name);
	add_text(&b->texts, file);
	b->head.cnt++;
	return b->names.len + b->texts.len >= FACT_BYTES ? flush(l, b) : 0;
}

/* --- files */

static char *end_of_path(const char *path)
{
	size_t n = strlen(path);

	return strdup(n > FILE_NAME_MAX ? path + n - FILE_NAME_MAX : path);
}

/* fd becomes its own.  The same file under another name keeps the first. */
static struct module *module_get(struct frames *f, int fd, const char *path)
{
	struct map_key key = { 0 };
	struct module *m;
	struct stat st;

	if (fstat(fd, &st)) {
		close(fd);
		return NULL;
	}
	key = (struct map_key){ st.st_dev, st.st_ino,
				(__u64)st.st_mtim.tv_sec * 1000000000 + (__u64)st.st_mtim.tv_nsec };
	m = map_get(&f->modules, key);
	if (m) {
		close(fd);
		return m;
	}
	if (f->modules.cnt >= MODULES_MAX || f->symbol_bytes > SYMBOLS_MAX)
		forget_modules(f);
	m = calloc(1, sizeof(*m));
	if (!m || map_put(&f->modules, key, m)) {
		close(fd);
		free(m);
		return NULL;
	}
	m->path = end_of_path(path);
	if (S_ISREG(st.st_mode))
		symbols_new(&m->symbols, fd); /* else it has no names */
	else
		close(fd);
	if (m->symbols)
		f->symbol_bytes += symbols_bytes(m->symbols);
	return m;
}

static struct map_key build_key(const __u8 id[EV_BUILD_ID], __u64 offset)
{
	struct map_key key = { 0 };
	__u32 tail;

	memcpy(&key.a, id, 8);
	memcpy(&key.b, id + 8, 8);
	memcpy(&tail, id + 16, 4);
	key.c = (__u64)tail << 32 | (__u32)offset;
	return key;
}

static struct module *find_build(struct look *l, const __u8 id[EV_BUILD_ID])
{
	struct map_key key = build_key(id, 0);
	struct frames *f = l->f;
	struct build *b = map_get(&f->builds, key);
	const char *path = NULL;
	int fd;

	if (b && (b->module || l->s->hdr.ts < b->looked_ts + AGAIN_NS))
		return b->module;
	fd = files_open_build(f->files, l->s->hdr.tgid, id, &path);
	if (fd == -ESRCH) { /* it may be there still */
		files_hook_process(f->files, l->s->hdr.tgid);
		fd = files_open_build(f->files, l->s->hdr.tgid, id, &path);
	}
	if (!b) {
		if (f->builds.cnt >= BUILDS_MAX)
			forget_modules(f);
		b = calloc(1, sizeof(*b));
		if (!b || map_put(&f->builds, key, b)) {
			free(b);
			if (fd >= 0)
				close(fd);
			return NULL;
		}
	}
	b->looked_ts = l->s->hdr.ts;
	if (fd >= 0) {
		struct module *m = module_get(f, fd, path);

		b = map_get(&f->builds, key); /* a full table forgets all */
		if (b)
			b->module = m;
		return m;
	}
	return NULL;
}

/* An offset where something lies, or from where something was called. */
struct spot {
	__u64 at;
	bool caller;
};

/* What is known of a spot in a file. */
static int add_file_name(struct look *l, struct batch *b, struct ev_name *n, const struct module *m,
			 const char *path, struct spot spot)
{
	char name[ELF_NAME_SIZE] = "";

	n->code = EV_CODE_FILE;
	if (m && m->symbols && spot.caller && !symbols_behind_call(m->symbols, spot.at + 1)) {
		n->code = EV_CODE_NONE;
		path = "";
	} else if (m && m->symbols) {
		symbols_name(m->symbols, spot.at, name);
	}
	return batch_add(l, b, n, sv(name), sv(path));
}

static int tell_place(struct look *l, const struct ev_place *place, bool caller)
{
	struct spot spot = { place->at - caller, caller };
	struct ev_name n = { .place = *place };
	struct map_key key = build_key(place->build_id, spot.at);
	struct module *m;

	if (spot.at > UINT32_MAX || map_get(&l->f->places, key))
		return 0;
	m = find_build(l, place->build_id);
	if (!m)
		return 0;
	if (map_put(&l->f->places, key, TOLD_NAME))
		return -ENOMEM;
	n.place.at = spot.at;
	return add_file_name(l, &l->all, &n, m, m->path, spot);
}

/* --- addresses */

/* Its user, and by which id it knows itself: of the namespaces that it is in the innermost. */
static void read_status(struct program *p)
{
	char path[32], line[256];
	_cleanup_fclose_ FILE *f = NULL;
	unsigned int uid;

	p->uid = (uid_t)-1;
	p->ns_pid = p->tgid;
	snprintf(path, sizeof(path), "/proc/%u/status", p->tgid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Uid: %*u %u", &uid) == 1)
			p->uid = uid;
		if (strncmp(line, "NSpid:", 6) == 0)
			p->ns_pid = (__u32)strtoul(strrchr(line, '\t'), NULL, 10);
	}
}

/* What was read of another program, or of one that came in between, is of no use. */
static void read_mappings(struct look *l)
{
	struct program *p = l->program;
	struct mappings now = { 0 };
	__u64 ts = fact_now();
	int err;

	if (p->gone || l->s->hdr.ts < p->mapped_ts || ts < p->mapped_ts + AGAIN_NS)
		return;
	err = mappings_read(&now, p->tgid);
	if (!err && !p->mappings.cnt)
		read_status(p);
	if (err || !kern_runs_program(l->f->kern, p->tgid, &p->life)) {
		p->gone = true;
		mappings_fini(&now);
		return;
	}
	mappings_fini(&p->mappings);
	p->mappings = now;
	p->mapped_ts = ts;
}

static struct mapping *find_mapping(struct look *l, __u64 addr)
{
	struct mapping *m = mappings_find(&l->program->mappings, addr);

	if (m)
		return m;
	read_mappings(l);
	return mappings_find(&l->program->mappings, addr);
}

static size_t perfmap_bytes(struct frames *f)
{
	size_t sum = 0;

	map_for_each (&f->programs, e) {
		const struct program *p = e->value;

		sum += p->jit.room * sizeof(*p->jit.of) + p->jit.names.cap;
	}
	return sum;
}

static void read_perfmap(struct look *l)
{
	struct program *p = l->program;
	_cleanup_close_ int root = -1, fd = -1;
	char path[64];

	if (p->gone || (p->jit_ts && l->s->hdr.ts < p->jit_ts + AGAIN_NS))
		return;
	p->jit_ts = l->s->hdr.ts;
	snprintf(path, sizeof(path), "/proc/%u/%s", p->tgid, "root");
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || perfmap_bytes(l->f) > PERFMAPS_MAX)
		return;
	snprintf(path, sizeof(path), "tmp/perf-%u.map", p->ns_pid);
	fd = perfmap_open(root, path, p->uid);
	if (fd >= 0 && perfmap_read(&p->jit, fd) > 0)
		p->jit_reads++;
}

/* As the process has it mapped; when it is over by now, what has that name and is the same file. */
static int open_mapped(const struct program *p, const struct mapping *m)
{
	const char *name = mapping_path(&p->mappings, m);
	struct stat st;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", p->tgid, m->start, m->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 || name[0] != '/')
		return fd;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, &st) || st.st_ino != m->ino ||
			st.st_dev != makedev(m->dev >> 32, m->dev & UINT32_MAX))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static struct module *mapped_module(struct look *l, struct mapping *m)
{
	int fd;

	if (m->looked || !m->ino)
		return m->looked ? m->module : NULL;
	fd = open_mapped(l->program, m);
	if (fd < 0)
		return NULL;
	m->module = module_get(l->f, fd, mapping_path(&l->program->mappings, m));
	m->looked = true;
	return m->module;
}

/* Code that the program made; *told is what to remember of it. */
static struct sv generated_name(struct look *l, __u64 addr, void **told)
{
	struct program *p = l->program;
	struct sv name = { NULL, 0 };

	if (!perfmap_find(&p->jit, addr, &name)) {
		read_perfmap(l);
		perfmap_find(&p->jit, addr, &name);
	}
	*told = name.n ? TOLD_NAME : TOLD_NAMELESS(p->jit_reads);
	return name;
}

static int tell_mapped(struct look *l, struct mapping *m, struct spot spot)
{
	const char *path = mapping_path(&l->program->mappings, m);
	struct ev_name n = { .place = { .what = EV_PLACE_ADDRESS, .at = spot.at } };
	struct map_key key = { spot.at, 0, 0 };
	struct module *module = mapped_module(l, m);
	/* a file that is no program may be where generated code lies; "[vdso]" is none */
	bool generated = module ? !module->symbols : !m->ino && path[0] != '[';
	struct sv text = { NULL, 0 };
	void *told = TOLD_NAME;

	if (generated)
		text = generated_name(l, spot.at, &told);
	if (map_put(&l->program->told, key, told))
		return -ENOMEM;
	if (!generated) {
		spot.at += m->offset - m->start;
		return add_file_name(l, &l->own, &n, module, path, spot);
	}
	n.code = EV_CODE_GENERATED;
	return batch_add(l, &l->own, &n, text, (struct sv){ NULL, 0 });
}

static int tell_nothing(struct look *l, __u64 addr)
{
	struct ev_name n = { .place = { .what = EV_PLACE_ADDRESS, .at = addr },
			     .code = EV_CODE_NONE };

	if (map_put(&l->program->told, (struct map_key){ addr, 0, 0 }, TOLD_NONE))
		return -ENOMEM;
	return batch_add(l, &l->own, &n, (struct sv){ NULL, 0 }, (struct sv){ NULL, 0 });
}

/* Generated code comes and goes: what was told may be another function's place by now. */
static void watch_generated(struct look *l)
{
	struct program *p = l->program;

	if (p->jit.cnt && l->s->hdr.ts >= p->jit_ts + 10 * AGAIN_NS)
		read_perfmap(l);
	if (p->jit.moved || p->told.cnt >= TOLD_MAX) {
		map_fini(&p->told);
		p->told = (struct map){ 0 };
		p->jit.moved = false;
		p->fresh = true;
	}
}

static int tell_address(struct look *l, __u64 ip, bool caller)
{
	__u64 addr = ip - caller;
	struct program *p = l->program;
	void *told = map_get(&p->told, (struct map_key){ addr, 0, 0 });
	struct mapping *m;

	if (told == TOLD_NAME ||
	    (told == TOLD_NAMELESS(p->jit_reads) && l->s->hdr.ts < p->jit_ts + AGAIN_NS))
		return 0;
	m = told == TOLD_NONE ? mappings_find(&p->mappings, addr) : find_mapping(l, addr);
	if (!m && (told || l->s->hdr.ts > p->mapped_ts))
		return 0; /* it may have been there */
	if (p->fresh)
		l->own.head.fresh = 1;
	p->fresh = false;
	return m ? tell_mapped(l, m, (struct spot){ addr, caller }) : tell_nothing(l, addr);
}

static int tell_kernel(struct look *l, __u64 addr)
{
	struct ev_name n = { .place = { .what = EV_PLACE_ADDRESS, .at = addr },
			     .code = EV_CODE_KERNEL };
	struct map_key key = { addr, 0, 0 };
	struct frames *f = l->f;
	struct sv name = { NULL, 0 }, module = { NULL, 0 };

	if (map_get(&f->kernel, key))
		return 0;
	if (!f->kallsyms && !f->no_kallsyms)
		f->no_kallsyms = kallsyms_read(&f->kallsyms) != 0;
	if (f->kallsyms)
		kallsyms_find(f->kallsyms, addr, &name, &module);
	if (map_put(&f->kernel, key, TOLD_NAME))
		return -ENOMEM;
	return batch_add(l, &l->all, &n, name, module);
}

static void start_over(struct look *l)
{
	struct frames *f = l->f;

	if (f->kernel.cnt + f->places.cnt < TOLD_ALL_MAX)
		return;
	map_fini(&f->kernel);
	map_fini(&f->places);
	f->kernel = f->places = (struct map){ 0 };
	l->all.head.fresh = 1;
}

static int tell_stacks(struct look *l)
{
	const struct ev_place *places = (const void *)(l->s + 1);
	const __u64 *ips = (const void *)(l->s + 1);
	size_t user = l->s->user;
	int err = 0;

	for (size_t i = 0; !err && i < user; i++) {
		const struct ev_place *p = &places[i];

		if (l->s->by_file && p->what == EV_PLACE_FILE)
			err = tell_place(l, p, i > 0);
		else if (l->program && (!l->s->by_file || p->what == EV_PLACE_ADDRESS))
			err = tell_address(l, l->s->by_file ? p->at : ips[i], i > 0);
	}
	ips += user * (l->s->by_file ? sizeof(*places) / sizeof(*ips) : 1);
	for (size_t i = 0; !err && i < l->s->kernel; i++)
		err = tell_kernel(l, ips[i] - (i > 0));
	return err;
}

/*
 * A program that is not over at once may still be so when its addresses begin to matter: what it has mapped
 * by now is kept for that.
 */
static void look_ahead(struct look *l)
{
	const struct program *p = l->program;
	__u64 born = p->life.exec_ts ? p->life.exec_ts : p->life.start;

	if (l->s->by_file && !p->mapped_ts && l->s->hdr.ts - born > SETTLED_NS)
		read_mappings(l);
}

int frames_tell(struct frames *f, const struct ev_sample *s)
{
	struct look l = { .f = f, .s = s, .program = program_get(f, s) };
	int err;

	start_over(&l);
	if (l.program) {
		look_ahead(&l);
		watch_generated(&l);
	}
	err = tell_stacks(&l);
	if (!err)
		err = flush(&l, &l.all);
	if (!err)
		err = flush(&l, &l.own);
	buf_fini(&l.all.names);
	buf_fini(&l.all.texts);
	buf_fini(&l.own.names);
	buf_fini(&l.own.texts);
	return err;
}
