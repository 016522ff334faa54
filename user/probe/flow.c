/* SPDX-License-Identifier: BSD-2-Clause */
/* By recursive descent, so that padding and data between the paths do not matter. */
#include "probe/flow.h"

#include <stdint.h>
#include <stdlib.h>
#include <Zydis/Zydis.h>
#include "base/cleanup.h"

#define DEPTH_MAX (1 << 20) /* a deeper stack is taken for a mistake */
#define BIT(reg) (1u << (reg))

enum { RAX = 0, RSP = 4, RBP = 5 }; /* Intel SDM, volume 2, table 3-1 */

struct walk {
	struct flow *f;
	const unsigned char *code;
	size_t size; /* of the function: more than f->n when that was cut */
	ZydisDecoder dec;
	__u32 *todo;
	size_t todo_cnt;
};

struct decoded {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

/* Prefixes change what these mean, so only the bare forms count: the length tells. */
bool flow_emulated(const unsigned char *p, size_t n)
{
	switch (n) {
	case 1:
		return (p[0] & 0xf8) == 0x50 || p[0] == 0x90; /* push, nop */
	case 2:
		return (p[0] == 0x41 && (p[1] & 0xf8) == 0x50) || p[0] == 0xeb || /* push, jmp */
		       (p[0] & 0xf0) == 0x70;                                     /* jcc */
	case 5:
		return p[0] == 0xe8 || p[0] == 0xe9; /* call, jmp */
	case 6:
		return p[0] == 0x0f && (p[1] & 0xf0) == 0x80; /* jcc */
	default:
		return false;
	}
}

static bool is_reg(const ZydisDecodedOperand *op, ZydisRegister reg)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value == reg;
}

static enum flow_base base_of(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_RSP   ? FLOW_SP
	       : reg == ZYDIS_REGISTER_RBP ? FLOW_BP
					   : FLOW_OTHER;
}

/* base + displacement, and extra bytes */
static struct flow_place place_of(const ZydisDecodedOperand *op, __s32 extra)
{
	struct flow_place p = { base_of(op->mem.base), 0 };
	__s64 disp = op->mem.disp.has_displacement ? op->mem.disp.value : 0;

	if (op->mem.index != ZYDIS_REGISTER_NONE || disp > DEPTH_MAX || disp < -DEPTH_MAX ||
	    (op->mem.segment != ZYDIS_REGISTER_SS && op->mem.segment != ZYDIS_REGISTER_DS))
		p.base = FLOW_OTHER;
	else
		p.k = (__s32)-disp - extra;
	return p;
}

static void note_writes(struct flow_insn *i, const struct decoded *d)
{
	bool stacks =
		d->in.mnemonic == ZYDIS_MNEMONIC_PUSH || d->in.mnemonic == ZYDIS_MNEMONIC_CALL;

	for (int n = 0; n < d->in.operand_count; n++) {
		const ZydisDecodedOperand *op = &d->ops[n];
		ZydisRegister reg;

		if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && !stacks)
			i->store = place_of(op, op->size / 8);
		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		reg = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op->reg.value);
		if (ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR64)
			i->writes |= BIT(ZydisRegisterGetId(reg));
	}
	if (i->call)
		i->writes |= BIT(RAX);
}

/* Where a register points afterwards: mov or lea of one of the two that are followed. */
static struct flow_place copied(const struct decoded *d)
{
	const ZydisDecodedOperand *src = &d->ops[1];

	if (d->in.mnemonic == ZYDIS_MNEMONIC_MOV && src->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return (struct flow_place){ base_of(src->reg.value), 0 };
	if (d->in.mnemonic == ZYDIS_MNEMONIC_LEA)
		return place_of(src, 0);
	return (struct flow_place){ FLOW_OTHER, 0 };
}

static struct flow_place moved_by(__s64 k)
{
	if (k > DEPTH_MAX || k < -DEPTH_MAX)
		return (struct flow_place){ FLOW_OTHER, 0 };
	return (struct flow_place){ FLOW_SP, (__s32)k };
}

static struct flow_place new_sp(const struct decoded *d)
{
	bool wide = d->in.operand_width == 64;
	bool imm = d->in.operand_count > 1 && is_reg(&d->ops[0], ZYDIS_REGISTER_RSP) &&
		   d->ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

	switch (d->in.mnemonic) {
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_RET:
		return (struct flow_place){ FLOW_KEEP, 0 };
	case ZYDIS_MNEMONIC_PUSH:
		return wide ? moved_by(8) : (struct flow_place){ FLOW_OTHER, 0 };
	case ZYDIS_MNEMONIC_POP:
		if (wide && !is_reg(&d->ops[0], ZYDIS_REGISTER_RSP))
			return moved_by(-8);
		break;
	case ZYDIS_MNEMONIC_SUB:
		if (imm)
			return moved_by(d->ops[1].imm.value.s);
		break;
	case ZYDIS_MNEMONIC_ADD:
		if (imm)
			return moved_by(-d->ops[1].imm.value.s);
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		if (wide)
			return (struct flow_place){ FLOW_BP, -8 };
		break;
	default:
		if (is_reg(&d->ops[0], ZYDIS_REGISTER_RSP))
			return copied(d);
	}
	return (struct flow_place){ FLOW_OTHER, 0 };
}

/* mov, xor and or are how compilers set a constant. */
static bool makes_failure(const struct decoded *d)
{
	const ZydisDecodedOperand *to = &d->ops[0], *by = &d->ops[1];
	bool imm = by->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

	if (!is_reg(to, ZYDIS_REGISTER_EAX) && !is_reg(to, ZYDIS_REGISTER_RAX))
		return false;
	switch (d->in.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return imm && (__s32)by->imm.value.s <= 0;
	case ZYDIS_MNEMONIC_XOR:
		return is_reg(by, to->reg.value);
	case ZYDIS_MNEMONIC_OR:
		return imm && by->imm.value.s == -1;
	default:
		return false;
	}
}

static void note_stack(struct flow_insn *i, const struct decoded *d)
{
	if (i->writes & BIT(RSP))
		i->new_sp = new_sp(d);
	if (!(i->writes & BIT(RBP)))
		return;
	i->new_bp = (struct flow_place){ FLOW_OTHER, 0 };
	if (is_reg(&d->ops[0], ZYDIS_REGISTER_RBP))
		i->new_bp = copied(d);
}

static enum flow_result note_jump(struct walk *w, __u32 at, struct flow_insn *i,
				  const struct decoded *d)
{
	const ZydisDecodedOperand *op = &d->ops[0];
	__s64 to = (__s64)at + d->in.length;

	i->falls = d->in.meta.category == ZYDIS_CATEGORY_COND_BR;
	if (op->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !op->imm.is_relative)
		return FLOW_INDIRECT;
	to += op->imm.value.s;
	if (to >= 0 && (__u64)to < w->f->n)
		i->jump = (__u32)to;
	else
		w->f->leaves = true;
	return FLOW_OK;
}

/* Behind a call that does not return there is nothing but padding, and then the next function. */
static bool ends_behind(const struct walk *w, size_t at)
{
	struct decoded d = { 0 };

	if (w->f->n < w->size)
		return false;
	while (at < w->f->n) {
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&w->dec, w->code + at, w->f->n - at, &d.in,
						       d.ops)) ||
		    (d.in.mnemonic != ZYDIS_MNEMONIC_NOP && d.in.mnemonic != ZYDIS_MNEMONIC_INT3))
			return false;
		at += d.in.length;
	}
	return true;
}

static enum flow_result note_control(struct walk *w, __u32 at, struct flow_insn *i,
				     const struct decoded *d)
{
	switch (d->in.meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return note_jump(w, at, i, d);
	case ZYDIS_CATEGORY_RET:
		i->ret = true;
		i->falls = false;
		return d->in.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR &&
				       d->ops[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE
			       ? FLOW_OK
			       : FLOW_UNKNOWN;
	case ZYDIS_CATEGORY_CALL:
		i->call = true;
		if (d->ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && d->ops[0].imm.is_relative)
			i->callee = (__s64)at + d->in.length + d->ops[0].imm.value.s;
		i->falls = !ends_behind(w, at + d->in.length);
		return d->in.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR ? FLOW_OK : FLOW_UNKNOWN;
	default:
		i->falls = d->in.mnemonic != ZYDIS_MNEMONIC_INT3 &&
			   d->in.mnemonic != ZYDIS_MNEMONIC_UD2 &&
			   d->in.mnemonic != ZYDIS_MNEMONIC_HLT;
		return FLOW_OK;
	}
}

/* To be looked at, unless it is or was; len stands for that until it is known. */
static enum flow_result visit(struct walk *w, size_t at)
{
	if (at >= w->f->n || w->f->insns[at].inside)
		return FLOW_UNKNOWN;
	if (!w->f->insns[at].len) {
		w->f->insns[at].len = 1;
		w->todo[w->todo_cnt++] = (__u32)at;
	}
	return FLOW_OK;
}

static enum flow_result take(struct walk *w, __u32 at)
{
	struct flow_insn *i = &w->f->insns[at];
	struct decoded d = { 0 };
	enum flow_result res;

	if (i->inside ||
	    ZYAN_FAILED(ZydisDecoderDecodeFull(&w->dec, w->code + at, w->f->n - at, &d.in, d.ops)))
		return FLOW_UNKNOWN;
	i->len = d.in.length;
	i->jump = FLOW_NONE;
	i->emulated = flow_emulated(w->code + at, i->len);
	for (__u32 k = 1; k < i->len; k++) {
		if (i[k].len)
			return FLOW_UNKNOWN;
		i[k].inside = true;
	}
	res = note_control(w, at, i, &d);
	if (res)
		return res;
	note_writes(i, &d);
	i->fails = makes_failure(&d);
	note_stack(i, &d);
	if (i->falls)
		res = visit(w, at + i->len);
	if (!res && i->jump != FLOW_NONE)
		res = visit(w, i->jump);
	return res;
}

static __s32 depth_at(const struct flow_insn *i, const struct flow_place *p, __s32 same)
{
	__s32 base = p->base == FLOW_SP ? i->sp : i->bp;

	if (p->base == FLOW_KEEP)
		return same;
	if (p->base == FLOW_OTHER || base == FLOW_LOST || base + p->k < 0 ||
	    base + p->k > DEPTH_MAX)
		return FLOW_LOST;
	return base + p->k;
}

/* What two paths do not agree on is lost. */
static bool merge(__s32 *to, __s32 from)
{
	if (*to == FLOW_LOST || *to == from)
		return false;
	*to = FLOW_LOST;
	return true;
}

static void reach(struct walk *w, __u32 at, __s32 sp, __s32 bp)
{
	struct flow_insn *i = &w->f->insns[at];
	bool changed = !i->known;

	if (!i->known) {
		i->known = true;
		i->sp = sp;
		i->bp = bp;
	} else {
		changed = merge(&i->sp, sp);
		changed |= merge(&i->bp, bp);
	}
	if (changed)
		w->todo[w->todo_cnt++] = at;
}

/* An instruction is taken up three times at most: when reached, and when each depth is lost. */
static void find_depths(struct walk *w)
{
	reach(w, 0, 0, FLOW_LOST);
	while (w->todo_cnt) {
		__u32 at = w->todo[--w->todo_cnt];
		const struct flow_insn *i = &w->f->insns[at];
		__s32 sp = depth_at(i, &i->new_sp, i->sp), bp = depth_at(i, &i->new_bp, i->bp);

		if (i->falls)
			reach(w, at + i->len, sp, bp);
		if (i->jump != FLOW_NONE)
			reach(w, i->jump, sp, bp);
	}
}

static enum flow_result walk(struct walk *w)
{
	enum flow_result res = visit(w, 0);

	while (!res && w->todo_cnt)
		res = take(w, w->todo[--w->todo_cnt]);
	if (!res)
		find_depths(w);
	return res;
}

enum flow_result flow_init(struct flow *f, const unsigned char *code, size_t size)
{
	struct walk w = { .f = f, .code = code, .size = size };
	enum flow_result res = FLOW_NOMEM;

	*f = (struct flow){ .n = size < FLOW_CODE_MAX ? size : FLOW_CODE_MAX };
	f->insns = calloc(f->n + 1, sizeof(*f->insns));
	/* a depth's worklist holds an instruction three times at most */
	w.todo = calloc(f->n + 1, 3 * sizeof(*w.todo));
	if (f->insns && w.todo &&
	    ZYAN_SUCCESS(
		    ZydisDecoderInit(&w.dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		res = walk(&w);
	free(w.todo);
	return res;
}

bool flow_writes_elsewhere(const struct flow_insn *i)
{
	__s32 base = i->store.base == FLOW_SP ? i->sp : i->bp;

	return i->store.base != FLOW_KEEP &&
	       (i->store.base == FLOW_OTHER || base == FLOW_LOST || base + i->store.k < 0);
}

void flow_fini(struct flow *f)
{
	free(f->insns);
	*f = (struct flow){ 0 };
}
