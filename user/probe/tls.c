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

#define TLS(name) extern const struct tls_ops tls_##name;
#include "probe/tls.def"
#undef TLS

const struct tls_ops *const tls_libs[] = {
#define TLS(name) &tls_##name,
#include "probe/tls.def"
#undef TLS
};

const size_t tls_libs_cnt = ARRAY_SIZE(tls_libs);

/* Without code to look at the plan stays the plain one: all zeros. */
static void choose(struct elf_file *f, struct tls_hooks *hooks, enum tls_role role,
		   unsigned char *code)
{
	__u64 offset = hooks->offsets[role], room = elf_func_room(f, offset);
	size_t n = room && room < FLOW_CODE_MAX ? room : FLOW_CODE_MAX;

	if (!elf_pread(f, offset, code, room ? n : SITE_CODE_MIN))
		site_choose(&hooks->plans[role], code, room, SITE_SYSV, role != TLS_FREE);
}

static int choose_sites(struct elf_file *f, struct tls_hooks *hooks)
{
	_cleanup_free_ unsigned char *code = NULL;

	memset(hooks->plans, 0, sizeof(hooks->plans));
	if (elf_machine() != EM_X86_64)
		return 0;
	code = calloc(1, FLOW_CODE_MAX);
	if (!code)
		return -ENOMEM;
	for (int role = 0; role < TLS_ROLES; role++)
		if (hooks->offsets[role])
			choose(f, hooks, role, code);
	return 0;
}

int tls_locate(const struct tls_ops *lib, struct elf_file *f, const char *path,
	       struct tls_hooks *hooks)
{
	int err = lib->locate(f, path, hooks);

	return err || !hooks->cnt ? err : choose_sites(f, hooks);
}

void tls_limit_sites(struct tls_hooks *hooks, bool cookies, bool plain)
{
	for (int role = 0; role < TLS_ROLES; role++)
		if (plain || (!cookies && hooks->plans[role].kind == SITE_FULL))
			hooks->plans[role] = (struct site_plan){ .doubt = SITE_DOUBT_OFF };
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
	int of[SITE_FULL + 1] = { 0 }, cheap = 0, places = (int)hooks->site_cnt;
	enum site_doubt doubt = SITE_DOUBT_NONE;
	struct text t = { text, size, 0 };

	for (int role = 0; role < TLS_ROLES; role++) {
		const struct site_plan *plan = &hooks->plans[role];

		if (hooks->offsets[role] && !of[plan->kind]++ && plan->kind == SITE_STEPPED)
			doubt = plan->doubt;
	}
	for (int i = 0; i < places; i++)
		cheap += hooks->sites[i].cheap != 0;
	text[0] = '\0';
	say(&t, of[SITE_FULL], "%d at emulated sites", of[SITE_FULL]);
	say(&t, of[SITE_RETURN], "%d plain, emulated", of[SITE_RETURN]);
	say(&t, of[SITE_STEPPED], "%d plain (%s)", of[SITE_STEPPED], site_doubt_text(doubt));
	say(&t, cheap, "%d entries at emulated sites", cheap);
	say(&t, places - cheap, "%d places plain", places - cheap);
}
