/* SPDX-License-Identifier: BSD-2-Clause */
/* One proof follows a straight line and what becomes of the result, the other follows all paths. */
#include "probe/inner.h"

#include <stdlib.h>
#include <Zydis/Zydis.h>
#include "base/cleanup.h"
#include "probe/flow.h"

#define REGISTERS 16
#define EAX 0

/* --- a cover: what happens to the result behind the call */

struct tail {
	ZydisDecoder dec;
	ZydisDecodedInstruction in;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	bool known[REGISTERS]; /* registers that hold a constant other than 1 */
	bool tested;           /* the flags are those of the result, compared with 0 */
};

/* Of a register of 32 bits or more; -1: it is none. */
static int register_of(const ZydisDecodedOperand *op)
{
	ZydisRegister whole;

	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER || op->size < 32)
		return -1;
	whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op->reg.value);
	return ZydisRegisterGetClass(whole) == ZYDIS_REGCLASS_GPR64 ? ZydisRegisterGetId(whole)
								    : -1;
}

/* Is the condition false of the flags of a test of 1? */
static bool is_false_of_one(ZydisMnemonic m)
{
	switch (m) {
	case ZYDIS_MNEMONIC_CMOVS:
	case ZYDIS_MNEMONIC_CMOVL:
	case ZYDIS_MNEMONIC_CMOVLE:
	case ZYDIS_MNEMONIC_CMOVZ:
		return true;
	default:
		return false;
	}
}

/* Takes the constant in place of some results, of which 1 is none. */
static bool replaces_others(const struct tail *t)
{
	int from = register_of(&t->ops[1]);

	return is_false_of_one(t->in.mnemonic) && t->tested &&
	       t->ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       t->ops[0].reg.value == ZYDIS_REGISTER_EAX && from > EAX && t->known[from];
}

static bool is_result_tested(const struct tail *t)
{
	return t->in.mnemonic == ZYDIS_MNEMONIC_TEST &&
	       t->ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       t->ops[0].reg.value == ZYDIS_REGISTER_EAX &&
	       t->ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       t->ops[1].reg.value == ZYDIS_REGISTER_EAX;
}

/* Is the constant that the instruction puts into its first operand known, and not 1? */
static bool sets_constant(const struct tail *t)
{
	const ZydisDecodedOperand *by = &t->ops[1];

	if (t->in.mnemonic == ZYDIS_MNEMONIC_XOR)
		return by->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       by->reg.value == t->ops[0].reg.value;
	return t->in.mnemonic == ZYDIS_MNEMONIC_MOV && by->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	       (__s32)by->imm.value.s != 1;
}

/* False when the result may be another one behind it. */
static bool keeps_result(struct tail *t, const struct flow_insn *i)
{
	int to = register_of(&t->ops[0]);

	if (i->writes & FLOW_RAX)
		return replaces_others(t);
	for (int r = 0; r < REGISTERS; r++)
		if (i->writes >> r & 1)
			t->known[r] = r == to && sets_constant(t);
	if (t->in.cpu_flags && t->in.cpu_flags->modified | t->in.cpu_flags->undefined)
		t->tested = is_result_tested(t);
	return true;
}

/* From the instruction at `at` on: a straight line to a return, with nothing to be seen from outside. */
static bool only_maps_result(const struct flow *f, const unsigned char *code, __u32 at)
{
	const struct flow_insn *i = &f->insns[at];
	struct tail t = { 0 };

	if (ZYAN_FAILED(ZydisDecoderInit(&t.dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	for (; !i->ret; at += i->len, i = &f->insns[at]) {
		if (i->call || i->jump != FLOW_NONE || !i->falls || flow_writes_elsewhere(i) ||
		    ZYAN_FAILED(ZydisDecoderDecodeFull(&t.dec, code + at, i->len, &t.in, t.ops)) ||
		    !keeps_result(&t, i))
			return false;
	}
	return i->sp == 0;
}

static __s64 covered(const struct flow *f, const unsigned char *code)
{
	const struct flow_insn *i = f->insns;
	__u32 at = 0;

	while (!i->call) {
		if ((i->writes & FLOW_ARGS_SYSV) || flow_writes_elsewhere(i) || !i->falls ||
		    i->jump != FLOW_NONE)
			return 0;
		at += i->len;
		i = &f->insns[at];
	}
	return i->falls && only_maps_result(f, code, at + i->len) ? i->callee : 0;
}

__s64 inner_of_cover(const unsigned char *code, size_t size)
{
	struct flow f;
	__s64 inner = 0;

	if (!flow_init(&f, code, size) && !f.leaves)
		inner = covered(&f, code);
	flow_fini(&f);
	return inner;
}

/* --- all paths */

/* What may have happened before an instruction. */
enum past {
	PAST_NOTHING = 1,
	PAST_FAILED = 2, /* ... and the result is a constant of 0 or less */
	PAST_OTHER = 4,  /* others were called */
	PAST_OTHER_FAILED = 8,
	PAST_INNER = 16, /* the inner function was, and nothing else */
	PAST_MORE = 32,
};

static __u8 past_call(__u8 past, bool inner)
{
	__u8 now = past & (PAST_INNER | PAST_MORE) ? PAST_MORE : 0;

	if (inner) {
		now |= past & (PAST_NOTHING | PAST_FAILED) ? PAST_INNER : 0;
		now |= past & (PAST_OTHER | PAST_OTHER_FAILED) ? PAST_MORE : 0;
	} else if (past & (PAST_NOTHING | PAST_FAILED | PAST_OTHER | PAST_OTHER_FAILED)) {
		now |= PAST_OTHER;
	}
	return now;
}

static __u8 past_result(__u8 past, bool fails)
{
	__u8 now = past & (PAST_INNER | PAST_MORE);

	if (past & (PAST_NOTHING | PAST_FAILED))
		now |= fails ? PAST_FAILED : PAST_NOTHING;
	if (past & (PAST_OTHER | PAST_OTHER_FAILED))
		now |= fails ? PAST_OTHER_FAILED : PAST_OTHER;
	return now;
}

static __u8 past_insn(const struct flow_insn *i, __u8 past, __s64 inner)
{
	if (i->call)
		return past_call(past, i->callee && i->callee == inner);
	return i->writes & FLOW_RAX ? past_result(past, i->fails) : past;
}

struct paths {
	const struct flow *flow;
	__u8 *past;  /* enum past of each instruction, by its first byte */
	__u32 *todo; /* an instruction is taken up once for each bit that it gets, at most */
	size_t todo_cnt;
};

static void reach(struct paths *p, __u32 at, __u8 past)
{
	if ((p->past[at] | past) == p->past[at])
		return;
	p->past[at] |= past;
	p->todo[p->todo_cnt++] = at;
}

/* What may have happened before a return. */
static __u8 past_at_returns(struct paths *p, __s64 inner)
{
	__u8 all = 0;

	reach(p, 0, PAST_NOTHING);
	while (p->todo_cnt) {
		__u32 at = p->todo[--p->todo_cnt];
		const struct flow_insn *i = &p->flow->insns[at];
		__u8 past = past_insn(i, p->past[at], inner);

		if (i->ret)
			all |= past;
		if (i->falls)
			reach(p, at + i->len, past);
		if (i->jump != FLOW_NONE)
			reach(p, i->jump, past);
	}
	return all;
}

bool inner_is_all(const unsigned char *code, size_t size, __s64 inner)
{
	struct flow f;
	struct paths p = { .flow = &f };
	__u8 past = 0;

	if (!flow_init(&f, code, size) && !f.leaves) {
		p.past = calloc(f.n + 1, sizeof(*p.past));
		p.todo = calloc(f.n + 1, 6 * sizeof(*p.todo));
		if (p.past && p.todo)
			past = past_at_returns(&p, inner);
	}
	flow_fini(&f);
	free(p.past);
	free(p.todo);
	return (past & PAST_INNER) && !(past & (PAST_NOTHING | PAST_OTHER | PAST_MORE));
}
