/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A probe in the middle of an instruction crashes the traced program, so one is only set where the
 * bytes are such as compilers begin functions with.  Too strict costs visibility, too lax costs a
 * crash: what is not in these tables is refused.
 */
#include "probe/insn.h"

#include <elf.h>
#include <stdint.h>
#include "base/cleanup.h"

struct pattern {
	uint32_t value, mask; /* of the first four bytes, little-endian */
};

/* Intel SDM, volume 2; REX is 40..4f */
static const struct pattern x86_64[] = {
	{ 0xfa1e0ff3, 0xffffffff }, /* endbr64 */
	{ 0x00000050, 0x000000f8 }, /* push r64 */
	{ 0x00005041, 0x0000f8ff }, /* push r8..r15 */
	{ 0x00ec8348, 0x00ffffff }, /* sub $imm8, %rsp */
	{ 0x00ec8148, 0x00ffffff }, /* sub $imm32, %rsp */
	{ 0x00008940, 0x0000fdf0 }, /* REX mov r, r/m and back */
	{ 0x0000c089, 0x0000c0ff }, /* mov r32, r32 */
	{ 0x0000408b, 0x0000c0ff }, /* mov disp8(r64), r32 */
	{ 0x0000808b, 0x0000c0ff }, /* mov disp32(r64), r32 */
	{ 0x00008d48, 0x0000fff8 }, /* lea */
	{ 0x00008540, 0x0000fff0 }, /* REX test r, r */
	{ 0x0000c085, 0x0000c0ff }, /* test r32, r32 */
	{ 0x0000c031, 0x0000c0ff }, /* xor r32, r32 */
	{ 0x0000c033, 0x0000c0ff }, /* and the other way round */
	{ 0x00c03140, 0x00c0fff0 }, /* REX xor r, r */
	{ 0x0000f883, 0x0000f8ff }, /* cmp $imm8, r32 */
	{ 0x00b88348, 0x00f8ffff }, /* cmp $imm8, disp32(r64) */
	{ 0x00788348, 0x00f8ffff }, /* cmp $imm8, disp8(r64) */
	{ 0x0000b883, 0x0000f8ff }, /* cmp $imm8, disp32(r64), 32 bits */
	{ 0x000000b8, 0x000000f8 }, /* mov $imm32, r32 */
	{ 0x000000e9, 0x000000ff }, /* jmp rel32 */
	{ 0x000025ff, 0x0000ffff }, /* jmp *disp32(%rip) */
	{ 0x00001f0f, 0x0000ffff }, /* nop of several bytes: a patchable entry */
	{ 0x00000090, 0x000000ff }, /* nop */
};

/* Arm ARM DDI 0487, C4.1 */
static const struct pattern aarch64[] = {
	{ 0xd503201f, 0xfffff01f }, /* hints: nop, bti, paciasp, pacibsp */
	{ 0xa98003e0, 0xffc003e0 }, /* stp x, x, [sp, #-n]! */
	{ 0xd10003ff, 0xff8003ff }, /* sub sp, sp, #n */
	{ 0xf8000fe0, 0xffe00fe0 }, /* str x, [sp, #-n]! */
	{ 0x34000000, 0x7e000000 }, /* cbz, cbnz */
	{ 0x2a0003e0, 0x7fe0ffe0 }, /* mov reg, reg */
	{ 0x52800000, 0x7f800000 }, /* mov reg, #n */
	{ 0x7100001f, 0x7f80001f }, /* cmp reg, #n */
	{ 0xb9400000, 0xbfc00000 }, /* ldr reg, [x, #n] */
	{ 0x90000000, 0x9f000000 }, /* adrp */
	{ 0x14000000, 0xfc000000 }, /* b */
};

static bool any(const struct pattern *pat, size_t cnt, uint32_t word)
{
	for (size_t i = 0; i < cnt; i++)
		if ((word & pat[i].mask) == pat[i].value)
			return true;
	return false;
}

bool insn_is_entry(unsigned int machine, const unsigned char *p, size_t n)
{
	uint32_t word;

	if (n < INSN_MIN)
		return false;
	word = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	if (machine == EM_X86_64)
		return any(x86_64, ARRAY_SIZE(x86_64), word);
	if (machine == EM_AARCH64)
		return any(aarch64, ARRAY_SIZE(aarch64), word);
	return false;
}

/*
 * Intel SDM, volume 2, CALL: E8 rel32, or FF /2 with what its ModRM byte asks for behind it: a SIB byte
 * and a displacement.  Lengths are tried from the end, as there is no way to read backwards.
 */
static bool ends_call_x86(const unsigned char *end, size_t n)
{
	if (n >= 5 && end[-5] == 0xe8)
		return true;
	for (size_t len = 2; len <= 7 && len <= n; len++) {
		unsigned char modrm = end[1 - (long)len], mod = modrm >> 6, rm = modrm & 7;
		bool sib = mod != 3 && rm == 4;
		size_t want = 2 + sib;

		if (end[-(long)len] != 0xff || (modrm >> 3 & 7) != 2)
			continue;
		if (mod == 1)
			want += 1;
		else if (mod == 2 || (mod == 0 && rm == 5) ||
			 (sib && mod == 0 && len > 2 && (end[2 - (long)len] & 7) == 5))
			want += 4;
		if (want == len)
			return true;
	}
	return false;
}

/* Arm ARM DDI 0487, C4.1: BL, BLR with and without pointer authentication. */
static bool ends_call_aarch64(const unsigned char *end, size_t n)
{
	uint32_t word;

	if (n < 4)
		return false;
	word = end[-4] | (uint32_t)end[-3] << 8 | (uint32_t)end[-2] << 16 | (uint32_t)end[-1] << 24;
	return (word & 0xfc000000) == 0x94000000 || (word & 0xfefff000) == 0xd63f0000;
}

bool insn_is_call(unsigned int machine, const unsigned char *p, size_t n)
{
	if (machine == EM_X86_64)
		return ends_call_x86(p + n, n);
	return machine == EM_AARCH64 && ends_call_aarch64(p + n, n);
}
