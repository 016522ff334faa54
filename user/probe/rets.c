/* SPDX-License-Identifier: BSD-2-Clause */
/* From the first byte to the last: the compilers it is for put no data between instructions. */
#include "probe/rets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <Zydis/Zydis.h>

enum mark { MARK_START = 1, MARK_TARGET = 2 };

struct sweep {
	const unsigned char *code;
	size_t n;
	unsigned char *marks; /* enum mark of each byte */
	size_t *rets;
	size_t cnt, max;
	bool falls; /* control goes on behind the last instruction */
	bool open;  /* it may go on anywhere */
};

/* A jump whose target is known and in the function; any other may leave it. */
static int take_jump(struct sweep *s, size_t at, const ZydisDecodedInstruction *in,
		     const ZydisDecodedOperand *op)
{
	int64_t to = (int64_t)(at + in->length) + op->imm.value.s;

	if (op->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !op->imm.is_relative || to < 0 ||
	    (uint64_t)to >= s->n)
		return s->open ? 0 : -EINVAL;
	s->marks[to] |= MARK_TARGET;
	s->falls = in->meta.category == ZYDIS_CATEGORY_COND_BR;
	return 0;
}

static int take_insn(struct sweep *s, size_t at, const ZydisDecodedInstruction *in,
		     const ZydisDecodedOperand *op)
{
	s->marks[at] |= MARK_START;
	switch (in->meta.category) {
	case ZYDIS_CATEGORY_RET:
		if (in->meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR || s->cnt == s->max)
			return -EINVAL;
		s->rets[s->cnt++] = at;
		s->falls = false;
		return 0;
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return take_jump(s, at, in, op);
	default:
		break;
	}
	/* a breakpoint or an undefined instruction is padding, or stands behind a call that ends */
	s->falls = in->mnemonic != ZYDIS_MNEMONIC_INT3 && in->mnemonic != ZYDIS_MNEMONIC_UD2;
	return 0;
}

static int sweep_code(struct sweep *s, const ZydisDecoder *dec)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	size_t at = 0;

	while (at < s->n) {
		int err;

		if (ZYAN_FAILED(ZydisDecoderDecodeFull(dec, s->code + at, s->n - at, &in, ops)))
			return -EINVAL;
		err = take_insn(s, at, &in, ops);
		if (err)
			return err;
		at += in.length;
	}
	for (at = 0; at < s->n; at++)
		if (s->marks[at] == MARK_TARGET)
			return -EINVAL;
	return !s->open && (s->falls || !s->cnt) ? -EINVAL : (int)s->cnt;
}

static int find(struct sweep s)
{
	size_t n = s.n;
	ZydisDecoder dec;
	int cnt;

	if (!n || n > RETS_CODE_MAX ||
	    ZYAN_FAILED(ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return -EINVAL;
	s.marks = calloc(1, n);
	if (!s.marks)
		return -ENOMEM;
	cnt = sweep_code(&s, &dec);
	free(s.marks);
	return cnt;
}

int rets_find(const unsigned char *code, size_t n, size_t *rets, size_t max)
{
	return find((struct sweep){ .code = code, .n = n, .rets = rets, .max = max });
}

int rets_find_here(const unsigned char *code, size_t n, size_t *rets, size_t max)
{
	return find((struct sweep){ .code = code, .n = n, .rets = rets, .max = max, .open = true });
}
