/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols by libelf, addresses to file offsets by the program headers. */
#include "probe/elf.h"

#include <errno.h>
#include <fnmatch.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <gelf.h>
#include "base/cleanup.h"
#include "probe/insn.h"

#define MAX_PHDRS 128
#define MAX_NOTES 8
#define MAX_NOTE_BYTES 4096
#define MAX_DYNAMIC 256
#define MAX_SYMBOLS (4u << 20)
#define MAX_NAMES (256u << 20) /* bytes of a string table */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "ringspan knows x86-64 and arm64"
#endif

struct elf_file {
	Elf *elf;
	int fd;
	__u64 size;
	struct elf_segment load[MAX_PHDRS];
	size_t load_cnt;
	__u64 unwind; /* address of .eh_frame_hdr, 0: none */
	__u64 dynamic, dynamic_size;
	struct note_segment {
		__u64 offset, size;
	} notes[MAX_NOTES];
	size_t note_cnt;
};

void elf_file_free(struct elf_file **f)
{
	if (!*f)
		return;
	elf_end((*f)->elf);
	free(*f);
	*f = NULL;
}

static void add_segment(struct elf_file *f, const GElf_Phdr *ph)
{
	if (ph->p_type == PT_GNU_EH_FRAME)
		f->unwind = ph->p_vaddr;
	if (ph->p_type == PT_DYNAMIC) {
		f->dynamic = ph->p_vaddr;
		f->dynamic_size = ph->p_filesz;
	}
	if (ph->p_type == PT_NOTE && f->note_cnt < MAX_NOTES)
		f->notes[f->note_cnt++] = (struct note_segment){ ph->p_offset, ph->p_filesz };
	if (ph->p_type != PT_LOAD || ph->p_offset > f->size ||
	    ph->p_filesz > f->size - ph->p_offset || ph->p_vaddr > UINT64_MAX - ph->p_filesz)
		return;
	f->load[f->load_cnt++] = (struct elf_segment){
		.addr = ph->p_vaddr,
		.offset = ph->p_offset,
		.size = ph->p_filesz,
		.exec = ph->p_flags & PF_X,
		.write = ph->p_flags & PF_W,
	};
}

static int read_headers(struct elf_file *f)
{
	GElf_Ehdr ehdr;
	size_t cnt;

	if (elf_kind(f->elf) != ELF_K_ELF || !gelf_getehdr(f->elf, &ehdr) ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_ident[EI_DATA] != ELFDATA2LSB ||
	    ehdr.e_machine != MACHINE || (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN) ||
	    elf_getphdrnum(f->elf, &cnt) || cnt > MAX_PHDRS)
		return -ENOEXEC;
	for (size_t i = 0; i < cnt; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(f->elf, (int)i, &ph))
			return -ENOEXEC;
		add_segment(f, &ph);
	}
	return 0;
}

int elf_file_new(struct elf_file **out, int fd)
{
	struct elf_file *f = calloc(1, sizeof(*f));
	struct stat st;
	int err = -ENOEXEC;

	if (!f)
		return -ENOMEM;
	f->fd = fd;
	if (fstat(fd, &st) || elf_version(EV_CURRENT) == EV_NONE)
		goto fail;
	f->size = st.st_size;
	f->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (f->elf)
		err = read_headers(f);
	if (err)
		goto fail;
	*out = f;
	return 0;
fail:
	elf_file_free(&f);
	return err;
}

__u64 elf_size(const struct elf_file *f)
{
	return f->size;
}

int elf_stat(const struct elf_file *f, struct stat *st)
{
	return fstat(f->fd, st) ? -errno : 0;
}

/* gABI, "Note Section": three words, the name, the descriptor, both padded to 4 bytes. */
static size_t find_build_id(const unsigned char *p, size_t n, unsigned char id[ELF_BUILD_ID_MAX])
{
	while (n >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr h;
		size_t name, desc;

		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		n -= sizeof(h);
		if (h.n_namesz > n || h.n_descsz > n)
			return 0;
		name = (h.n_namesz + 3u) & ~3u;
		desc = (h.n_descsz + 3u) & ~3u;
		if (name + desc > n)
			return 0;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    memcmp(p, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 &&
		    h.n_descsz <= ELF_BUILD_ID_MAX) {
			memcpy(id, p + name, h.n_descsz);
			return h.n_descsz;
		}
		p += name + desc;
		n -= name + desc;
	}
	return 0;
}

size_t elf_build_id(const struct elf_file *f, unsigned char id[ELF_BUILD_ID_MAX])
{
	unsigned char bytes[MAX_NOTE_BYTES];
	size_t len = 0;

	for (size_t i = 0; !len && i < f->note_cnt; i++) {
		size_t n = f->notes[i].size < sizeof(bytes) ? f->notes[i].size : sizeof(bytes);

		if (!elf_pread(f, f->notes[i].offset, bytes, n))
			len = find_build_id(bytes, n, id);
	}
	return len;
}

const struct elf_segment *elf_segments(const struct elf_file *f, size_t *cnt)
{
	*cnt = f->load_cnt;
	return f->load;
}

unsigned int elf_machine(void)
{
	return MACHINE;
}

int elf_pread(const struct elf_file *f, __u64 offset, void *p, size_t n)
{
	if (offset > f->size || n > f->size - offset)
		return -ENODATA;
	return pread(f->fd, p, n, (off_t)offset) == (ssize_t)n ? 0 : -ENODATA;
}

__u64 elf_code_offset(const struct elf_file *f, __u64 addr, __u64 n)
{
	for (size_t i = 0; i < f->load_cnt; i++) {
		const struct elf_segment *seg = &f->load[i];

		if (seg->exec && addr >= seg->addr && addr - seg->addr < seg->size &&
		    n <= seg->size - (addr - seg->addr))
			return addr - seg->addr + seg->offset;
	}
	return 0;
}

size_t elf_read(const struct elf_file *f, __u64 addr, void *buf, size_t n)
{
	for (size_t i = 0; i < f->load_cnt; i++) {
		const struct elf_segment *seg = &f->load[i];
		__u64 at = addr - seg->addr;
		ssize_t got;

		if (addr < seg->addr || at >= seg->size)
			continue;
		if (n > seg->size - at)
			n = seg->size - at;
		got = pread(f->fd, buf, n, (off_t)(seg->offset + at));
		return got > 0 ? (size_t)got : 0;
	}
	return 0;
}

/* libelf reads a section as a whole, and a file may be sparse: its size bounds nothing. */
static bool fits(const struct elf_file *f, const GElf_Shdr *sh, __u64 max)
{
	return sh->sh_size <= max && sh->sh_size <= f->size &&
	       sh->sh_offset <= f->size - sh->sh_size;
}

/* strings: the section, with its header, that names it; a name costs more than all the rest */
typedef void (*symbol_fn)(void *ctx, const GElf_Sym *sym, size_t strings, const GElf_Shdr *names);

static int scan_table(struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *sh, symbol_fn fn,
		      void *ctx)
{
	Elf_Scn *strings = elf_getscn(f->elf, sh->sh_link);
	GElf_Shdr str;
	Elf_Data *data;
	size_t n;

	if (sh->sh_entsize != sizeof(Elf64_Sym) || !fits(f, sh, MAX_SYMBOLS * sh->sh_entsize) ||
	    !gelf_getshdr(strings, &str) || !fits(f, &str, MAX_NAMES))
		return -ENOEXEC;
	data = elf_getdata(scn, NULL);
	if (!data)
		return -ENOEXEC;
	n = sh->sh_size / sh->sh_entsize;
	for (size_t i = 0; i < n; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym))
			return -ENOEXEC;
		if (GELF_ST_TYPE(sym.st_info) == STT_FUNC && sym.st_shndx != SHN_UNDEF)
			fn(ctx, &sym, sh->sh_link, &str);
	}
	return 0;
}

/* The functions that it defines.  One table of each type: a file has no more, and libelf keeps what it has read. */
static int each_function(struct elf_file *f, symbol_fn fn, void *ctx)
{
	bool dynsym = false, symtab = false;
	Elf_Scn *scn = NULL;
	int err = 0;

	while (!err && (scn = elf_nextscn(f->elf, scn))) {
		GElf_Shdr sh;
		bool *seen;

		if (!gelf_getshdr(scn, &sh) ||
		    (sh.sh_type != SHT_DYNSYM && sh.sh_type != SHT_SYMTAB))
			continue;
		seen = sh.sh_type == SHT_DYNSYM ? &dynsym : &symtab;
		if (!*seen)
			err = scan_table(f, scn, &sh, fn, ctx);
		*seen = true;
	}
	return err;
}

static bool table_has(struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *sh, const char *name)
{
	Elf_Data *data = NULL;
	GElf_Shdr str;

	if (sh->sh_entsize == sizeof(Elf64_Sym) && fits(f, sh, MAX_SYMBOLS * sh->sh_entsize) &&
	    gelf_getshdr(elf_getscn(f->elf, sh->sh_link), &str) && fits(f, &str, MAX_NAMES))
		data = elf_getdata(scn, NULL);
	for (size_t i = 0; data && i < sh->sh_size / sh->sh_entsize; i++) {
		const char *s;
		GElf_Sym sym;

		s = gelf_getsym(data, (int)i, &sym) ? elf_strptr(f->elf, sh->sh_link, sym.st_name)
						    : NULL;
		if (s && strcmp(s, name) == 0)
			return true;
	}
	return false;
}

bool elf_has_dynamic(struct elf_file *f, const char *name)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(f->elf, scn)))
		if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_DYNSYM)
			return table_has(f, scn, &sh, name);
	return false;
}

struct wanted {
	const struct elf_file *f;
	const char *const *names;
	size_t cnt;
	__u64 *offsets;
};

static void match(void *ctx, const GElf_Sym *sym, size_t strings, const GElf_Shdr *names)
{
	const struct wanted *w = ctx;
	const char *name = elf_strptr(w->f->elf, strings, sym->st_name);

	(void)names;
	for (size_t i = 0; name && i < w->cnt; i++)
		if (!w->offsets[i] && strcmp(name, w->names[i]) == 0)
			w->offsets[i] = elf_code_offset(w->f, sym->st_value, 1);
}

int elf_find_funcs(struct elf_file *f, const char *const *names, size_t cnt, __u64 *offsets)
{
	struct wanted w = { f, names, cnt, offsets };
	int err, found = 0;

	memset(offsets, 0, cnt * sizeof(*offsets));
	err = each_function(f, match, &w);
	for (size_t i = 0; i < cnt; i++)
		found += offsets[i] != 0;
	return err ? err : found;
}

struct unnamed {
	const struct elf_file *f;
	struct elf_place *of;
	size_t cnt;
};

/* From the file, as libelf would read all names of it for one. */
static void read_name(const struct elf_file *f, const GElf_Sym *sym, const GElf_Shdr *names,
		      char name[ELF_NAME_SIZE])
{
	size_t n = ELF_NAME_SIZE - 1;

	if (sym->st_name >= names->sh_size)
		return;
	if (n > names->sh_size - sym->st_name)
		n = names->sh_size - sym->st_name;
	name[n] = '\0';
	if (elf_pread(f, names->sh_offset + sym->st_name, name, n))
		name[0] = '\0';
}

struct fitting {
	struct elf_file *f;
	const char *pattern;
	struct elf_func *of;
	size_t cnt, max;
	bool more;
};

static void match_pattern(void *ctx, const GElf_Sym *sym, size_t strings, const GElf_Shdr *names)
{
	struct fitting *m = ctx;
	char name[ELF_NAME_SIZE] = "";
	__u64 offset;

	(void)strings;
	read_name(m->f, sym, names, name);
	if (!name[0] || fnmatch(m->pattern, name, 0) != 0)
		return;
	offset = elf_code_offset(m->f, sym->st_value, 1);
	if (!offset)
		return;
	for (size_t i = 0; i < m->cnt; i++)
		if (m->of[i].offset == offset)
			return;
	m->more |= m->cnt == m->max;
	if (m->cnt == m->max)
		return;
	m->of[m->cnt].offset = offset;
	m->of[m->cnt].size = sym->st_size;
	memcpy(m->of[m->cnt++].name, name, sizeof(name));
}

int elf_match_funcs(struct elf_file *f, const char *pattern, struct elf_func *of, size_t max)
{
	struct fitting m = { .f = f, .pattern = pattern, .of = of, .max = max };
	int err = each_function(f, match_pattern, &m);

	if (m.more)
		return -E2BIG;
	return err && !m.cnt ? err : (int)m.cnt;
}

/* Functions do not overlap, but may have several names: the first that is found is kept. */
static void name_places(void *ctx, const GElf_Sym *sym, size_t strings, const GElf_Shdr *names)
{
	const struct unnamed *u = ctx;

	(void)strings;
	for (size_t i = 0; i < u->cnt; i++) {
		struct elf_place *p = &u->of[i];

		if (p->addr < sym->st_value || p->addr - sym->st_value >= sym->st_size ||
		    p->name[0])
			continue;
		p->start = sym->st_value;
		read_name(u->f, sym, names, p->name);
	}
}

int elf_name_places(struct elf_file *f, struct elf_place *of, size_t cnt)
{
	struct unnamed u = { f, of, cnt };

	for (size_t i = 0; i < cnt; i++)
		of[i].name[0] = '\0';
	return each_function(f, name_places, &u);
}

struct symbol_list {
	struct elf_symbol *of;
	size_t cnt, room;
	int err;
};

static void add_symbol(void *ctx, const GElf_Sym *sym, size_t strings, const GElf_Shdr *names)
{
	struct symbol_list *l = ctx;

	(void)strings;
	if (sym->st_name >= names->sh_size || l->err)
		return;
	if (l->cnt == l->room) {
		size_t room = l->room ? 2 * l->room : 1024;
		struct elf_symbol *grown = reallocarray(l->of, room, sizeof(*grown));

		if (!grown) {
			l->err = -ENOMEM;
			return;
		}
		l->of = grown;
		l->room = room;
	}
	l->of[l->cnt++] =
		(struct elf_symbol){ sym->st_value, sym->st_size, names->sh_offset + sym->st_name };
}

int elf_symbols(struct elf_file *f, struct elf_symbol **out, size_t *cnt)
{
	struct symbol_list l = { .cnt = 0 };
	int err = each_function(f, add_symbol, &l);

	err = err ? err : l.err;
	if (err) {
		free(l.of);
		return err;
	}
	*out = l.cnt ? reallocarray(l.of, l.cnt, sizeof(*l.of)) : l.of; /* no larger than it is */
	if (!*out)
		*out = l.of;
	*cnt = l.cnt;
	return 0;
}

void elf_symbol_name(const struct elf_file *f, const struct elf_symbol *sym,
		     char name[ELF_NAME_SIZE])
{
	ssize_t n = pread(f->fd, name, ELF_NAME_SIZE - 1, (off_t)sym->name);

	name[n > 0 ? n : 0] = '\0';
}

__u64 elf_code_addr(const struct elf_file *f, __u64 offset)
{
	for (size_t i = 0; i < f->load_cnt; i++) {
		const struct elf_segment *seg = &f->load[i];

		if (seg->exec && offset >= seg->offset && offset - seg->offset < seg->size)
			return offset - seg->offset + seg->addr;
	}
	return 0;
}

/* The size of the function that a table has a symbol for; 0: it has none. */
static __u64 symbol_size(struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *sh, __u64 addr)
{
	Elf_Data *data = NULL;

	if (sh->sh_entsize == sizeof(Elf64_Sym) && fits(f, sh, MAX_SYMBOLS * sh->sh_entsize))
		data = elf_getdata(scn, NULL);
	for (size_t i = 0; data && i < sh->sh_size / sh->sh_entsize; i++) {
		GElf_Sym sym;

		if (gelf_getsym(data, (int)i, &sym) && GELF_ST_TYPE(sym.st_info) == STT_FUNC &&
		    sym.st_shndx != SHN_UNDEF && sym.st_value == addr)
			return sym.st_size;
	}
	return 0;
}

__u64 elf_func_room(struct elf_file *f, __u64 offset)
{
	__u64 addr = elf_code_addr(f, offset), start, end, size = 0;
	Elf_Scn *scn = NULL;

	if (!addr)
		return 0;
	if (!elf_unwind_range(f, addr, &start, &end))
		size = end - addr;
	while (!size && (scn = elf_nextscn(f->elf, scn))) {
		GElf_Shdr sh;

		if (gelf_getshdr(scn, &sh) &&
		    (sh.sh_type == SHT_DYNSYM || sh.sh_type == SHT_SYMTAB))
			size = symbol_size(f, scn, &sh, addr);
	}
	return size;
}

__u64 elf_section_addr(struct elf_file *f, const char *name)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	size_t names;

	if (elf_getshdrstrndx(f->elf, &names) || !gelf_getshdr(elf_getscn(f->elf, names), &sh) ||
	    !fits(f, &sh, MAX_NAMES))
		return 0;
	while ((scn = elf_nextscn(f->elf, scn))) {
		const char *s =
			gelf_getshdr(scn, &sh) ? elf_strptr(f->elf, names, sh.sh_name) : NULL;

		if (s && strcmp(s, name) == 0)
			return sh.sh_addr;
	}
	return 0;
}

__u64 elf_dynamic(const struct elf_file *f, __s64 tag)
{
	Elf64_Dyn d[MAX_DYNAMIC];
	size_t n = f->dynamic_size < sizeof(d) ? f->dynamic_size : sizeof(d);

	n = elf_read(f, f->dynamic, d, n) / sizeof(*d);
	for (size_t i = 0; i < n && d[i].d_tag != DT_NULL; i++)
		if (d[i].d_tag == tag)
			return d[i].d_un.d_val;
	return 0;
}

bool elf_is_entry(struct elf_file *f, __u64 offset)
{
	unsigned char p[INSN_MIN];

	if (MACHINE == EM_AARCH64 && offset % 4)
		return false;
	return pread(f->fd, p, sizeof(p), (off_t)offset) == (ssize_t)sizeof(p) &&
	       insn_is_entry(MACHINE, p, sizeof(p));
}

/* LSB Core 5.0, 10.6.2; in the only form that linkers write: a sorted table relative to itself. */
struct unwind_hdr {
	__u8 version, frame_enc, count_enc, table_enc;
	__s32 frame;
	__u32 count;
};

struct unwind_row {
	__s32 start, frame;
};

#define UNWIND_UDATA4 0x03
#define UNWIND_DATAREL_SDATA4 0x3b

static bool unwind_start(const struct elf_file *f, __u64 row, __u64 *start)
{
	__u64 at = f->unwind + sizeof(struct unwind_hdr) + row * sizeof(struct unwind_row);
	struct unwind_row r;

	if (elf_read(f, at, &r, sizeof(r)) != sizeof(r))
		return false;
	*start = f->unwind + (__u64)(__s64)r.start;
	return true;
}

int elf_unwind_range(const struct elf_file *f, __u64 addr, __u64 *start, __u64 *end)
{
	__u64 low = 0, high, at;
	struct unwind_hdr h;

	if (!f->unwind || elf_read(f, f->unwind, &h, sizeof(h)) != sizeof(h) || h.version != 1 ||
	    h.count_enc != UNWIND_UDATA4 || h.table_enc != UNWIND_DATAREL_SDATA4)
		return -ENOENT;
	high = h.count;
	while (low <
	       high) { /* rows before low begin at or below addr, those from high on above it */
		__u64 mid = low + (high - low) / 2;

		if (!unwind_start(f, mid, &at))
			return -ENOENT;
		if (at <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || !unwind_start(f, low - 1, start))
		return -ENOENT;
	if (low >= h.count || !unwind_start(f, low, end))
		*end = ~0ull;
	return *start <= addr && addr < *end ? 0 : -ENOENT;
}
