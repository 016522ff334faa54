/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of the running kernel: see symbols.h. */
#include "probe/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"

#define TEXT_MAX (256u << 20) /* bytes; 20 MB are usual */
/*
 * The list has no sizes.  What lies further behind a name is not of it: code that was made since, such
 * as programs of BPF, is in nobody's range.
 */
#define FUNCTION_MAX (256u << 10)

struct ksym {
	__u64 addr;
	__u32 name, module; /* offsets in text */
	__u16 len, module_len;
};

struct kallsyms {
	char *text;
	struct ksym *of;
	size_t cnt;
};

static int by_addr(const void *pa, const void *pb)
{
	const struct ksym *a = pa, *b = pb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	return a->name < b->name ? 1 : a->name > b->name ? -1 : 0;
}

static bool is_code(struct sv type)
{
	return type.n == 1 && strchr("tTwW", type.p[0]);
}

static bool read_hex(struct sv s, __u64 *out)
{
	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] | 0x20;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (__u64)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out << 4 | (__u64)(c - 'a' + 10);
		else
			return false;
	}
	return s.n > 0 && s.n <= 16;
}

static void add_line(struct kallsyms *k, struct sv line)
{
	struct sv addr = sv_token(&line, ' '), type = sv_token(&line, ' ');
	struct sv name = sv_token(&line, '\t'), module = sv_trim(line);
	struct ksym *s = &k->of[k->cnt];

	if (!read_hex(addr, &s->addr) || !s->addr || !is_code(type) || !name.n)
		return;
	if (module.n > 1 && module.p[0] == '[') /* "[name]" */
		module = sv_sub(module, 1, module.n - 2);
	s->name = (__u32)(name.p - k->text);
	s->len = (__u16)(name.n < ELF_NAME_SIZE ? name.n : ELF_NAME_SIZE - 1);
	s->module = module.n ? (__u32)(module.p - k->text) : 0;
	s->module_len = (__u16)(module.n < ELF_NAME_SIZE ? module.n : ELF_NAME_SIZE - 1);
	k->cnt++;
}

int kallsyms_parse(struct kallsyms **out, struct sv text)
{
	struct kallsyms *k = calloc(1, sizeof(*k));
	size_t lines = 1;
	struct sv rest;

	if (!k)
		return -ENOMEM;
	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	k->text = malloc(text.n + 1);
	k->of = calloc(lines, sizeof(*k->of));
	if (!k->text || !k->of || text.n > TEXT_MAX) {
		kallsyms_free(&k);
		return -ENOMEM;
	}
	if (text.n)
		memcpy(k->text, text.p, text.n);
	rest = (struct sv){ k->text, text.n };
	while (rest.n)
		add_line(k, sv_token(&rest, '\n'));
	if (k->cnt)
		qsort(k->of, k->cnt, sizeof(*k->of), by_addr);
	*out = k;
	return 0;
}

int kallsyms_read(struct kallsyms **out)
{
	_cleanup_close_ int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct buf b = BUF_INIT;
	ssize_t n;

	if (fd < 0)
		return -errno;
	b.max = TEXT_MAX;
	do {
		if (buf_reserve(&b, 1 << 16))
			return b.err;
		n = read(fd, b.p + b.len, 1 << 16);
		b.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return n < 0 ? -errno : kallsyms_parse(out, buf_view(&b));
}

void kallsyms_free(struct kallsyms **k)
{
	if (!*k)
		return;
	free((*k)->text);
	free((*k)->of);
	free(*k);
	*k = NULL;
}

bool kallsyms_find(const struct kallsyms *k, __u64 addr, struct sv *name, struct sv *module)
{
	size_t low = 0, high = k->cnt;
	const struct ksym *s;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (k->of[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || addr - k->of[low - 1].addr >= FUNCTION_MAX)
		return false;
	s = &k->of[low - 1];
	*name = (struct sv){ k->text + s->name, s->len };
	*module = (struct sv){ k->text + s->module, s->module_len };
	return true;
}
