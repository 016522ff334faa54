/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry of TLS libraries, from tls.def, and where in their functions to probe. */
#include "probe/tls.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "probe/flow.h"
#include "probe/inner.h"

#define TLS(name) extern const struct tls_ops tls_##name;
#include "probe/tls.def"
#undef TLS

const struct tls_ops *const tls_libs[] = {
#define TLS(name) &tls_##name,
#include "probe/tls.def"
#undef TLS
};

const size_t tls_libs_cnt = ARRAY_SIZE(tls_libs);

static const struct {
	const char *enter, *exit;
} programs[TLS_ROLES] = {
	[TLS_READ] = { "tls_read_enter", "tls_exit" },
	[TLS_WRITE] = { "tls_write_enter", "tls_exit" },
	[TLS_READ_EX] = { "tls_read_ex_enter", "tls_exit" },
	[TLS_WRITE_EX] = { "tls_write_ex_enter", "tls_exit" },
	[TLS_WRITE_EX2] = { "tls_write_ex2_enter", "tls_exit" },
	[TLS_SENDFILE] = { "tls_sendfile_enter", "tls_exit" },
	[TLS_FREE] = { "tls_free_enter", NULL },
	[TLS_CLEAR] = { "tls_clear_enter", NULL },
	[TLS_GNUTLS_RECV] = { "gnutls_recv_enter", "tls_exit" },
	[TLS_GNUTLS_PACKET] = { "gnutls_packet_enter", "tls_exit" },
	[TLS_GNUTLS_SEND] = { "gnutls_send_enter", "tls_exit" },
	[TLS_GNUTLS_SENDFILE] = { "gnutls_sendfile_enter", "tls_exit" },
	[TLS_GNUTLS_UNCORK] = { "gnutls_uncork_enter", "tls_exit" },
	[TLS_NSS_READ] = { "nss_read_enter", "tls_exit" },
	[TLS_NSS_RECV] = { "nss_recv_enter", "tls_exit" },
	[TLS_NSS_WRITE] = { "nss_write_enter", "tls_exit" },
	[TLS_NSS_WRITEV] = { "nss_writev_enter", "tls_exit" },
	[TLS_NSS_CLOSE] = { "nss_close_enter", NULL },
	[TLS_NSS_IMPORT] = { NULL, "nss_import_exit" },
};

const char *tls_enter_prog(enum tls_role role)
{
	return programs[role].enter;
}

const char *tls_exit_prog(enum tls_role role)
{
	return programs[role].exit;
}

void tls_add(struct tls_hooks *hooks, enum tls_role role, __u64 offset)
{
	for (size_t i = 0; i < hooks->func_cnt; i++)
		if (hooks->funcs[i].offset == offset)
			return;
	if (hooks->func_cnt == TLS_FUNCS_MAX)
		return;
	hooks->funcs[hooks->func_cnt++] = (struct tls_func){ .role = role, .offset = offset };
	hooks->cnt++;
}

/* Are all functions of the group there, or none?  -EINVAL: some. */
static int group_is_there(const struct tls_symbol *symbols, const __u64 *offsets, size_t cnt,
			  unsigned int group)
{
	bool there = false, lacks = false;

	for (size_t i = 0; i < cnt; i++) {
		if (symbols[i].group != group)
			continue;
		there |= offsets[i] != 0;
		lacks |= !offsets[i];
	}
	return there && lacks ? -EINVAL : there;
}

int tls_find_symbols(struct elf_file *f, const struct tls_symbol *symbols, size_t cnt,
		     struct tls_hooks *hooks)
{
	const char *names[TLS_SYMBOLS_MAX] = { NULL };
	__u64 offsets[TLS_SYMBOLS_MAX];
	int err, there;

	for (size_t i = 0; i < cnt; i++)
		names[i] = symbols[i].name;
	err = elf_find_funcs(f, names, cnt, offsets);
	if (err < 0)
		return err;
	there = group_is_there(symbols, offsets, cnt, 1);
	if (!there)
		return 0;
	for (size_t i = 0; i < cnt; i++) {
		if (symbols[i].group && group_is_there(symbols, offsets, cnt, symbols[i].group) < 0)
			return tls_refuse(hooks, "reads or writes TLS by functions that it lacks");
		if (offsets[i] && !elf_is_entry(f, offsets[i]))
			return tls_refuse(hooks,
					  "the bytes of %s at 0x%llx do not begin a function",
					  names[i], (unsigned long long)offsets[i]);
	}
	for (size_t i = 0; i < cnt; i++)
		if (offsets[i])
			tls_add(hooks, symbols[i].role, offsets[i]);
	return 0;
}

/* Code of a function, at most FLOW_CODE_MAX bytes: how many; with *room, all there are, 0 SITE_CODE_MIN. */
static bool read_code(struct elf_file *f, __u64 offset, unsigned char *code, __u64 *room)
{
	*room = elf_func_room(f, offset);
	return !elf_pread(f, offset, code,
			  !*room                  ? SITE_CODE_MIN
			  : *room < FLOW_CODE_MAX ? *room
						  : FLOW_CODE_MAX);
}

/* Without code to look at the plan stays the plain one: all zeros. */
static void choose(struct elf_file *f, struct tls_func *func, unsigned char *code)
{
	__u64 room;

	if (read_code(f, func->offset, code, &room))
		site_choose(&func->plan, code, room, SITE_SYSV, tls_exit_prog(func->role) != NULL);
}

/* The function that this one covers, with a plan and in the same role; false: none that is known. */
static bool find_inner(struct elf_file *f, const struct tls_func *cover, struct tls_func *inner,
		       unsigned char *code)
{
	__s64 away = 0;
	__u64 room;

	if (read_code(f, cover->offset, code, &room) && room)
		away = inner_of_cover(code, room);
	*inner = (struct tls_func){ .role = cover->role, .offset = cover->offset + (__u64)away };
	if (!away || !elf_is_entry(f, inner->offset) ||
	    elf_code_addr(f, inner->offset) != elf_code_addr(f, cover->offset) + (__u64)away)
		return false;
	choose(f, inner, code);
	return true;
}

/* Does func do all by a call of inner? */
static bool is_all(struct elf_file *f, const struct tls_func *func, const struct tls_func *inner,
		   unsigned char *code)
{
	__u64 room;

	return read_code(f, func->offset, code, &room) && room &&
	       inner_is_all(code, room, (__s64)(inner->offset - func->offset));
}

/*
 * Two functions that are made of one inner function, of which the first is no more than a cover, are
 * both probed there, where that is cheaper than at one of them.  Its calls by others are seen as well:
 * libssl reads by it in the BIO that BIO_f_ssl() makes.
 */
static void share(struct elf_file *f, struct tls_func *cover, struct tls_func *other,
		  unsigned char *code)
{
	enum site_kind worst =
		cover->plan.kind < other->plan.kind ? cover->plan.kind : other->plan.kind;
	struct tls_func inner;

	if (!find_inner(f, cover, &inner, code) || inner.plan.kind <= worst ||
	    !is_all(f, other, &inner, code))
		return;
	cover->inner = other->inner = inner.offset;
	cover->plan = other->plan = inner.plan;
	other->covered = true;
}

static const struct {
	enum tls_role cover, other;
} shared[] = {
	{ TLS_READ_EX, TLS_READ },
	{ TLS_WRITE_EX, TLS_WRITE },
};

int tls_choose_sites(struct elf_file *f, struct tls_hooks *hooks)
{
	_cleanup_free_ unsigned char *code = NULL;
	struct tls_func *of = hooks->funcs;

	if (!hooks->func_cnt || elf_machine() != EM_X86_64)
		return 0;
	code = calloc(1, FLOW_CODE_MAX);
	if (!code)
		return -ENOMEM;
	for (size_t i = 0; i < hooks->func_cnt; i++)
		choose(f, &of[i], code);
	for (size_t s = 0; s < ARRAY_SIZE(shared); s++)
		for (size_t i = 0; i < hooks->func_cnt; i++)
			for (size_t k = 0; of[i].role == shared[s].cover && k < hooks->func_cnt;
			     k++)
				if (of[k].role == shared[s].other && !of[k].inner)
					share(f, &of[i], &of[k], code);
	return 0;
}

__u64 tls_func_base(const struct tls_func *func)
{
	return func->inner ? func->inner : func->offset;
}

int tls_refuse(struct tls_hooks *hooks, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(hooks->doubt, sizeof(hooks->doubt), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int tls_locate(const struct tls_ops *lib, struct elf_file *f, struct tls_hooks *hooks)
{
	int err = lib->locate(f, hooks);

	return err || !hooks->cnt ? err : tls_choose_sites(f, hooks);
}

void tls_limit_sites(struct tls_hooks *hooks, bool cookies, bool plain)
{
	for (size_t i = 0; i < hooks->func_cnt; i++) {
		struct tls_func *func = &hooks->funcs[i];

		if (plain || (!cookies && func->plan.kind == SITE_FULL))
			*func = (struct tls_func){ .role = func->role,
						   .offset = func->offset,
						   .plan.doubt = SITE_DOUBT_OFF };
	}
	for (size_t i = 0; plain && i < hooks->site_cnt; i++)
		hooks->sites[i].cheap = 0;
}

struct text {
	char *p;
	size_t size, len;
};

/* Appends, behind a comma; with n 0 nothing. */
__attribute__((format(printf, 3, 4))) static void say(struct text *t, int n, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (!n || t->len + 2 >= t->size)
		return;
	if (t->len)
		t->len += snprintf(t->p + t->len, t->size - t->len, ", ");
	va_start(ap, fmt);
	len = vsnprintf(t->p + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (len > 0)
		t->len += len;
}

void tls_summary(const struct tls_hooks *hooks, char *text, size_t size)
{
	int of[SITE_FULL + 1] = { 0 }, inner = 0, cheap = 0, places = (int)hooks->site_cnt;
	enum site_doubt doubt = SITE_DOUBT_NONE;
	struct text t = { text, size, 0 };

	for (size_t i = 0; i < hooks->func_cnt; i++) {
		const struct site_plan *plan = &hooks->funcs[i].plan;

		if (hooks->funcs[i].inner)
			inner++;
		else if (!of[plan->kind]++ && plan->kind == SITE_STEPPED)
			doubt = plan->doubt;
	}
	for (int i = 0; i < places; i++)
		cheap += hooks->sites[i].cheap != 0;
	text[0] = '\0';
	say(&t, inner, "%d at emulated sites of what they call", inner);
	say(&t, of[SITE_FULL], "%d at emulated sites", of[SITE_FULL]);
	say(&t, of[SITE_RETURN], "%d plain, emulated", of[SITE_RETURN]);
	say(&t, of[SITE_STEPPED], "%d plain (%s)", of[SITE_STEPPED], site_doubt_text(doubt));
	say(&t, cheap, "%d entries at emulated sites", cheap);
	say(&t, places - cheap, "%d places plain", places - cheap);
}
