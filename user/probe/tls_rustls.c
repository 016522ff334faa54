/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rustls 0.23, always linked in, hardly ever with symbols.  Its ciphers are called through vtables
 * (drop, size, align, methods), which are data: MessageEncrypter has encrypt and
 * encrypted_payload_len, MessageDecrypter has decrypt.  Any vtable that looks like that is followed
 * to its code, and the code tells: encrypted_payload_len adds what a record takes beside its text,
 * encrypt looks where OutboundPlainMessage keeps its slices, decrypt asks first whether a record is
 * long enough for a tag.  The crypto library behind (ring, aws-lc) does not matter.
 *
 * bpf/rustls.bpf.c relies on the same layouts, and on the number that is Ok in the result of decrypt,
 * so each decrypt must be seen to write it.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <Zydis/Zydis.h>
#include "base/cleanup.h"
#include "probe/reloc.h"
#include "probe/scan.h"
#include "probe/tls.h"

#define NAMES_MAX 64
#define NAME_BACK 96          /* bytes of a path before its last part */
#define SHAPES_MAX (1u << 20) /* vtables that are looked at */
#define FUNCS_MAX 24          /* of each kind */
#define OBJECT_MAX 8192       /* bytes of an encrypter */
#define HEAD_BYTES 256        /* of a function: all that is looked at to recognise it */
#define HEAD_INSNS 48
#define BODY_BYTES 4096 /* of a function that is searched for Ok */
#define OK 0x16

static const char *const globs[] = {
	"/usr/bin/deno",
	"/usr/local/bin/deno",
	"/home/*/.deno/bin/deno",
	"/usr/lib/node_modules/@openai/codex/node_modules/@openai/codex-*/vendor/*/bin/codex",
	"/usr/local/lib/node_modules/@openai/codex/node_modules/@openai/codex-*/vendor/*/bin/codex",
	NULL,
};

static const char exit_prog[] = "rustls_decrypt_exit";
static const char enter_prog[] = "rustls_decrypt_enter";
static const char encrypt_prog[] = "rustls_encrypt";

static const char *const progs[] = { exit_prog, enter_prog, encrypt_prog, NULL };

struct funcs {
	__u64 addr[FUNCS_MAX];
	size_t cnt;
};

struct search {
	const struct elf_file *f;
	ZydisDecoder dec;
	struct funcs encrypt, decrypt;
	struct funcs strange; /* where encrypt should be */
	size_t shapes;
};

struct insn {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

static bool is_code(const struct search *s, __u64 addr)
{
	return addr && elf_code_offset(s->f, addr, 1);
}

/* Is the source of rustls's ciphers named, as it is where they may panic? */
static int has_name(const struct elf_file *f)
{
	/* or .rs; without its last byte, or this program would seem to hold such a path */
	static const char name[] = "/crypto/cipher.r?", crate[] = "rustls";
	const size_t len = sizeof(name) - 2;
	__u64 hits[NAMES_MAX];
	int n = scan_bytes(f, name, len, hits, NAMES_MAX);

	if (n < 0)
		return n == -E2BIG ? 0 : n;
	for (int i = 0; i < n; i++) {
		char path[NAME_BACK], last;

		if (elf_read(f, hits[i] + len, &last, 1) == 1 && last == 's' &&
		    elf_read(f, hits[i] - sizeof(path), path, sizeof(path)) == sizeof(path) &&
		    memmem(path, sizeof(path), crate, sizeof(crate) - 1))
			return 1;
	}
	return 0;
}

static bool decode(const struct search *s, const unsigned char *p, size_t n, struct insn *i)
{
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&s->dec, p, n, &i->in, i->ops));
}

/* lea n(%rsi), %rax; ret, in a frame or not: a tag of 16 bytes, and the inner type or the nonce */
static bool is_payload_len(const unsigned char *p)
{
	static const unsigned char frame[] = { 0x55, 0x48, 0x89, 0xe5 };
	static const unsigned char lea[] = { 0x48, 0x8d, 0x46 };
	bool framed = memcmp(p, frame, sizeof(frame)) == 0;

	p += framed ? sizeof(frame) : 0;
	if (memcmp(p, lea, sizeof(lea)) != 0 || (p[3] != 0x10 && p[3] != 0x11 && p[3] != 0x18))
		return false;
	return framed ? p[4] == 0x5d && p[5] == 0xc3 : p[4] == 0xc3;
}

/* The 64-bit register that one belongs to, by its number; -1: none. */
static int reg_of(ZydisRegister reg)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	return ZydisRegisterGetClass(whole) == ZYDIS_REGCLASS_GPR64 ? ZydisRegisterGetId(whole)
								    : -1;
}

#define RDX 2

/* What is known while the beginning of a method is followed that gets a message in rdx. */
struct follow {
	__u32 message;  /* registers that point to it, a bit for each */
	int len;        /* register that holds the length of an incoming one, -1: none */
	__u32 reads;    /* words of it that were looked at, a bit for each */
	bool asks_size; /* the length was compared with the least there must be */
};

/* Which word of the message an operand is; -1: none. */
static int word_of(const struct follow *w, const ZydisDecodedOperand *op)
{
	int base = op->type == ZYDIS_OPERAND_TYPE_MEMORY ? reg_of(op->mem.base) : -1;

	if (base < 0 || !(w->message >> base & 1) || op->mem.index != ZYDIS_REGISTER_NONE ||
	    op->size != 64 || op->mem.disp.value < 0 || op->mem.disp.value > 0x20)
		return -1;
	return (int)(op->mem.disp.value / 8);
}

static void forget_written(struct follow *w, const struct insn *i)
{
	for (size_t n = 0; n < i->in.operand_count; n++) {
		const ZydisDecodedOperand *op = &i->ops[n];
		int reg = op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
					  (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
				  ? reg_of(op->reg.value)
				  : -1;

		if (reg < 0)
			continue;
		w->message &= ~(1u << reg);
		if (w->len == reg)
			w->len = -1;
	}
}

static void follow_insn(struct follow *w, const struct insn *i)
{
	bool move = i->in.mnemonic == ZYDIS_MNEMONIC_MOV &&
		    i->ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER;
	int to = move ? reg_of(i->ops[0].reg.value) : -1, word = -1;
	bool copies = to >= 0 && i->ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		      i->ops[1].size == 64 && reg_of(i->ops[1].reg.value) >= 0 &&
		      (w->message >> reg_of(i->ops[1].reg.value) & 1);

	for (size_t n = 0; n < i->in.operand_count_visible; n++) {
		int read = word_of(w, &i->ops[n]);

		if (read < 0)
			continue;
		word = read;
		w->reads |= 1u << read;
	}
	if (i->in.mnemonic == ZYDIS_MNEMONIC_CMP && w->len >= 0 &&
	    i->ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    reg_of(i->ops[0].reg.value) == w->len && i->ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		w->asks_size |= i->ops[1].imm.value.u == 16 || i->ops[1].imm.value.u == 24;
	forget_written(w, i);
	if (copies)
		w->message |= 1u << to;
	if (to >= 0 && word == 1)
		w->len = to;
}

/* Does what is behind an instruction belong to the same function, as far as the bytes in sight tell? */
static bool goes_on(const struct insn *i, size_t at, size_t n)
{
	const ZydisDecodedOperand *op = &i->ops[0];

	switch (i->in.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
		return false;
	case ZYDIS_CATEGORY_UNCOND_BR: /* over the other branch of a condition */
		return op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.value.s > 0 &&
		       at + i->in.length + op->imm.value.u < n;
	default:
		return i->in.mnemonic != ZYDIS_MNEMONIC_INT3 &&
		       i->in.mnemonic != ZYDIS_MNEMONIC_UD2;
	}
}

/* Up to the first call; jumps are not taken. */
static void follow_head(const struct search *s, const unsigned char *code, size_t n,
			struct follow *w)
{
	struct insn i;
	size_t at = 0;

	*w = (struct follow){ .message = 1u << RDX, .len = -1 };
	for (int cnt = 0; cnt < HEAD_INSNS && at < n; cnt++, at += i.in.length) {
		if (!decode(s, code + at, n - at, &i) || !goes_on(&i, at, n))
			return;
		follow_insn(w, &i);
	}
}

static bool is_encrypt(const struct search *s, __u64 addr)
{
	const __u32 slices = 1u << 0 | 1u << 2 | 1u << 3; /* which it is; length or first; last */
	unsigned char code[HEAD_BYTES];
	size_t n = elf_read(s->f, addr, code, sizeof(code));
	struct follow w;

	follow_head(s, code, n, &w);
	return (w.reads & slices) == slices;
}

/* mov 8(%rdx), r64 in the first bytes: cheap, and true of few functions */
static bool may_be_decrypt(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i + 4 <= n; i++)
		if ((p[i] == 0x48 || p[i] == 0x4c) && p[i + 1] == 0x8b &&
		    (p[i + 2] & 0xc7) == 0x42 && p[i + 3] == 8)
			return true;
	return false;
}

static bool is_decrypt(const struct search *s, __u64 addr)
{
	unsigned char code[HEAD_BYTES];
	size_t n = elf_read(s->f, addr, code, sizeof(code));
	struct follow w;

	if (!may_be_decrypt(code, n < 64 ? n : 64))
		return false;
	follow_head(s, code, n, &w);
	return w.asks_size;
}

/* Puts a byte that says Ok into the result, or into a register on the way there. */
static bool is_ok(const struct insn *i)
{
	const ZydisDecodedOperand *to = &i->ops[0], *from = &i->ops[1];

	if (i->in.mnemonic != ZYDIS_MNEMONIC_MOV || to->size != 8 ||
	    from->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || from->imm.value.u != OK)
		return false;
	return to->type == ZYDIS_OPERAND_TYPE_REGISTER || to->mem.disp.value == 0;
}

static bool ends(const struct insn *i)
{
	return i->in.meta.category == ZYDIS_CATEGORY_RET ||
	       i->in.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	       i->in.mnemonic == ZYDIS_MNEMONIC_UD2 || i->in.mnemonic == ZYDIS_MNEMONIC_INT3;
}

/*
 * From the first instruction to one behind which nothing goes on and to or over which no jump before
 * it went.  calls: NULL, or where to note what is called.
 */
static bool body_has_ok(const struct search *s, __u64 addr, struct funcs *calls)
{
	unsigned char code[BODY_BYTES];
	size_t n = elf_read(s->f, addr, code, sizeof(code)), at = 0, far = 0;
	struct insn i;

	for (; at < n && decode(s, code + at, n - at, &i); at += i.in.length) {
		const ZydisDecodedOperand *op = &i.ops[0];
		__u64 to = at + i.in.length + op->imm.value.u;
		bool direct = op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && op->imm.is_relative;

		if (is_ok(&i))
			return true;
		if (direct && i.in.meta.category == ZYDIS_CATEGORY_CALL) {
			if (calls && calls->cnt < FUNCS_MAX)
				calls->addr[calls->cnt++] = addr + to;
		} else if (direct && to > far && to < n) {
			far = to;
		}
		if (ends(&i) && at >= far)
			return false;
	}
	return false;
}

/* In decrypt, or in what it calls: the compiler may not have inlined the last step. */
static bool returns_ok(const struct search *s, __u64 decrypt)
{
	struct funcs calls = { .cnt = 0 };

	if (body_has_ok(s, decrypt, &calls))
		return true;
	for (size_t i = 0; i < calls.cnt; i++)
		if (body_has_ok(s, calls.addr[i], NULL))
			return true;
	return false;
}

static int add(struct funcs *fs, __u64 addr)
{
	for (size_t i = 0; i < fs->cnt; i++)
		if (fs->addr[i] == addr)
			return 0;
	if (fs->cnt == FUNCS_MAX)
		return -E2BIG;
	fs->addr[fs->cnt++] = addr;
	return 0;
}

/* A vtable of objects that hold a key: drop, size, align, and the first method. */
static bool is_vtable(const struct search *s, const __u64 *w)
{
	return w[1] && w[1] <= OBJECT_MAX && (w[2] == 8 || w[2] == 16 || w[2] == 32) &&
	       w[1] % w[2] == 0 && is_code(s, w[3]) && (!w[0] || is_code(s, w[0]));
}

static int take_vtable(struct search *s, const __u64 *w, bool more)
{
	unsigned char code[16];

	if (++s->shapes > SHAPES_MAX)
		return -E2BIG;
	if (more && is_code(s, w[4]) && elf_read(s->f, w[4], code, sizeof(code)) == sizeof(code) &&
	    is_payload_len(code))
		return add(is_encrypt(s, w[3]) ? &s->encrypt : &s->strange, w[3]);
	return is_decrypt(s, w[3]) ? add(&s->decrypt, w[3]) : 0;
}

static int search_vtables(struct search *s, const struct reloc_data *d)
{
	int err = 0;

	for (size_t n = 0; n < d->cnt; n++) {
		const struct reloc_segment *seg = &d->segs[n];

		for (size_t i = 0; !err && i + 4 <= seg->cnt; i++)
			if (is_vtable(s, seg->words + i))
				err = take_vtable(s, seg->words + i, i + 5 <= seg->cnt);
	}
	return err;
}

/* NULL, or why there is doubt. */
static const char *check(const struct search *s, struct elf_file *f)
{
	if (!s->encrypt.cnt || !s->decrypt.cnt)
		return "its ciphers are not those of rustls 0.23";
	/* there is a pair for each cipher, and code that is not seen would be half a connection */
	if (s->strange.cnt || s->encrypt.cnt != s->decrypt.cnt)
		return "not all of its ciphers are understood";
	for (size_t i = 0; i < s->encrypt.cnt; i++)
		if (!elf_is_entry(f, elf_code_offset(f, s->encrypt.addr[i], 1)))
			return "the bytes of an encrypter do not begin a function";
	for (size_t i = 0; i < s->decrypt.cnt; i++) {
		if (!elf_is_entry(f, elf_code_offset(f, s->decrypt.addr[i], 1)))
			return "the bytes of a decrypter do not begin a function";
		if (!returns_ok(s, s->decrypt.addr[i]))
			return "the result of a decrypter is not the one that is known";
	}
	return NULL;
}

static void add_sites(const struct search *s, const struct funcs *fs, const char *prog, bool ret,
		      struct tls_hooks *hooks)
{
	for (size_t i = 0; i < fs->cnt; i++)
		hooks->sites[hooks->site_cnt++] = (struct tls_site){
			.offset = elf_code_offset(s->f, fs->addr[i], 1), .prog = prog, .ret = ret
		};
}

static const char *find_functions(struct elf_file *f, struct tls_hooks *hooks)
{
	struct search s = { .f = f };
	struct reloc_data d;
	const char *doubt = NULL;
	int err = reloc_data_init(&d, f);

	if (ZYAN_FAILED(ZydisDecoderInit(&s.dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		err = -EINVAL;
	if (!err)
		err = search_vtables(&s, &d);
	reloc_data_fini(&d);
	doubt = err ? strerror(-err) : check(&s, f);
	if (doubt)
		return doubt;
	add_sites(&s, &s.decrypt, exit_prog, true, hooks);
	add_sites(&s, &s.decrypt, enter_prog, false, hooks);
	add_sites(&s, &s.encrypt, encrypt_prog, false, hooks);
	hooks->cnt = (int)(s.encrypt.cnt + s.decrypt.cnt);
	return NULL;
}

static int rustls_locate(struct elf_file *f, struct tls_hooks *hooks)
{
	const char *doubt;
	int found = has_name(f);

	if (!found)
		return 0;
	if (found < 0)
		doubt = strerror(-found);
	else if (elf_machine() != EM_X86_64)
		doubt = "only x86-64 code is understood";
	else
		doubt = find_functions(f, hooks);
	if (!doubt)
		return 0;
	return tls_refuse(hooks, "holds rustls, but %s", doubt);
}

_Static_assert(3 * FUNCS_MAX <= TLS_SITES_MAX, "TLS_SITES_MAX");

const struct tls_ops tls_rustls = {
	.name = "rustls",
	.src = EV_SRC_RUSTLS,
	.globs = globs,
	.mark = "rustls-",
	.progs = progs,
	.locate = rustls_locate,
};
