/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every program that ships loads, in both variants, and stays cheap to verify.
 *
 *	load			against tests/bpf/budget.tsv
 *	load --write FILE	records anew
 */
#include "trace.h"

#include <errno.h>
#include <sys/utsname.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "probe/feature.h"
#include "probe/func.h"
#include "probe/hook.h"
#include "ringspan.skel.h"

/*
 * The licence; the kernel that it was recorded on; then a line for each program: its name, how many instructions the
 * verifier looked at with all of that kernel's features, and with an older kernel's.
 */
__asm__(".pushsection .rodata\n"
	".global load_budget\n"
	"load_budget:\n"
	".incbin \"tests/bpf/budget.tsv\"\n"
	".byte 0\n"
	".popsection\n");
extern const char load_budget[];

#define LOG_SIZE 4096
#define LOG_STATS 4      /* BPF_LOG_STATS: why a program is refused, or what it took to prove it */
#define INSNS_MAX 500000 /* of the 1,000,000 at which the verifier gives up */
#define MORE_PER_CENT 25 /* than recorded, and a few for the smallest */
#define MORE_INSNS 50
#define PROGS_MAX 256

enum variant { NEW, OLD, VARIANTS };

/* What the verifier looked at; 0: it was not asked to, or refused the program. */
static struct taken {
	char name[64];
	__u32 insns[VARIANTS];
} taken[PROGS_MAX];

static char logs[PROGS_MAX][LOG_SIZE];
static const char *write_to;

/* "6.18" of 6.18.44-fc. */
static void release(char out[32])
{
	unsigned int major, minor;
	struct utsname u;

	assert_int_equal(uname(&u), 0);
	assert_int_equal(sscanf(u.release, "%u.%u", &major, &minor), 2);
	snprintf(out, 32, "%u.%u", major, minor);
}

/* Another verifier needs more or less of them for the same program: there only the limit holds. */
static bool is_recorded_here(void)
{
	const char *p = strchr(load_budget, '\n');
	char here[32];
	size_t len;

	release(here);
	len = strlen(here);
	p = p ? p + 1 : "";
	return !strncmp(p, here, len) && p[len] == '\n';
}

static void keep(const char *name, enum variant variant, __u32 insns)
{
	size_t i = 0;

	while (i < PROGS_MAX && taken[i].name[0] && strcmp(taken[i].name, name))
		i++;
	assert_true(i < PROGS_MAX);
	snprintf(taken[i].name, sizeof(taken[i].name), "%s", name);
	taken[i].insns[variant] = insns;
}

static __u32 recorded(const char *name, enum variant variant)
{
	__u32 insns[VARIANTS] = { 0 };
	char line[64];

	for (const char *p = load_budget; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (sscanf(p, "%63s %u %u", line, &insns[NEW], &insns[OLD]) == 3 &&
		    !strcmp(line, name))
			return insns[variant];
	return 0;
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* As probe.c sets it up; the verifier's log of each program is in `logs`. */
static struct ringspan_bpf *opened(const struct features *f)
{
	struct ringspan_bpf *skel = ringspan_bpf__open();
	struct bpf_program *prog;
	size_t i = 0;

	assert_non_null(skel);
	libbpf_set_print(silent);
	skel->rodata->cfg_wake_bytes = 64 * 1024;
	skel->rodata->cfg_call_cap = 256 * 1024;
	skel->rodata->cfg_page_size = 4096;
	skel->rodata->cfg_guard = f->of[FEAT_GUARD].on;
	skel->rodata->cfg_task_storage = f->of[FEAT_STORAGE].on;
	skel->rodata->cfg_place_shift = 52;
	skel->rodata->cfg_task_regs = f->of[FEAT_STORAGE].on && f->of[FEAT_REGS].on;
	skel->rodata->cfg_tie_calls = !f->of[FEAT_SOCKLEN].on;
	hooks_select(skel->obj, f, FILES_READ);
	funcs_select(skel->obj, f, f->of[FEAT_COOKIE].on);
	bpf_program__set_autoload(skel->progs.sample, true);
	bpf_object__for_each_program (prog, skel->obj) {
		assert_true(i < PROGS_MAX);
		bpf_program__set_log_level(prog, LOG_STATS);
		bpf_program__set_log_buf(prog, logs[i++], LOG_SIZE);
	}
	return skel;
}

/* Which program was refused: the last that the verifier said something of. */
static size_t refused(const struct ringspan_bpf *skel)
{
	struct bpf_program *prog;
	size_t i = 0, found = PROGS_MAX;

	bpf_object__for_each_program (prog, skel->obj) {
		if (bpf_program__autoload(prog) && logs[i][0])
			found = i;
		i++;
	}
	return found;
}

/* Loads all but those that are refused, and says which these are and why. */
static int load_or_say(struct ringspan_bpf **out, const struct features *f)
{
	bool out_of_it[PROGS_MAX] = { false };
	struct bpf_program *prog;
	int err = 0;
	size_t i, n;

	for (;;) {
		memset(logs, 0, sizeof(logs));
		*out = opened(f);
		i = 0;
		bpf_object__for_each_program (prog, (*out)->obj)
			if (out_of_it[i++])
				bpf_program__set_autoload(prog, false);
		if (!ringspan_bpf__load(*out))
			return err;
		err = -EINVAL;
		n = refused(*out);
		if (n == PROGS_MAX)
			return err;
		out_of_it[n] = true;
		i = 0;
		bpf_object__for_each_program (prog, (*out)->obj)
			if (i++ == n)
				print_error("%s is refused: %s\n", bpf_program__name(prog),
					    logs[n]);
		ringspan_bpf__destroy(*out);
	}
}

static __u32 insns_of(const char *log)
{
	const char *p = strstr(log, "processed ");
	__u32 insns = 0;

	assert_non_null(p);
	assert_int_equal(sscanf(p, "processed %u insns", &insns), 1);
	return insns;
}

static bool within_budget(const char *name, enum variant variant, __u32 insns)
{
	__u32 was = recorded(name, variant), most = was + was * MORE_PER_CENT / 100 + MORE_INSNS;

	printf("# %-24s %s %6u insns, recorded %6u\n", name, variant == NEW ? "new" : "old", insns,
	       was);
	if (insns > INSNS_MAX)
		print_error("%s takes %u insns, which is more than half of the verifier's\n", name,
			    insns);
	else if (!is_recorded_here()) /* 5.10 has the older programs by itself */
		return true;
	else if (!was)
		print_error("no budget is recorded for %s: build/bpf-test/load --write "
			    "tests/bpf/budget.tsv\n",
			    name);
	else if (insns > most)
		print_error("%s takes %u insns, and took %u\n", name, insns, was);
	else
		return true;
	return false;
}

static void load(const struct features *f, enum variant variant)
{
	struct ringspan_bpf *skel = NULL;
	struct bpf_program *prog;
	bool good = load_or_say(&skel, f) == 0;
	size_t i = 0;

	bpf_object__for_each_program (prog, skel->obj) {
		const char *name = bpf_program__name(prog), *log = logs[i++];

		if (!bpf_program__autoload(prog) || bpf_program__fd(prog) < 0)
			continue;
		keep(name, variant, insns_of(log));
		if (!write_to)
			good &= within_budget(name, variant, insns_of(log));
	}
	ringspan_bpf__destroy(skel);
	assert_true(good);
}

static void what_this_kernel_gets(void **state)
{
	struct features f;

	(void)state;
	features_try(&f, true);
	load(&f, NEW);
}

static void what_an_older_kernel_gets(void **state)
{
	struct features f;

	(void)state;
	features_try(&f, true);
	if (!f.of[FEAT_MULTI].on && !f.of[FEAT_LOOP].on && !f.of[FEAT_STORAGE].on)
		skip(); /* it is one: the same again */
	features_force_off(&f, FEAT_MULTI);
	features_force_off(&f, FEAT_GUARD);
	features_force_off(&f, FEAT_LOOP);
	features_force_off(&f, FEAT_STORAGE);
	features_force_off(&f, FEAT_SOCKLEN);
	load(&f, OLD);
}

static int write_budget(void)
{
	_cleanup_fclose_ FILE *f = fopen(write_to, "we");
	char here[32];

	if (!f)
		return -errno;
	release(here);
	fprintf(f, "# SPDX-License-Identifier: BSD-2-Clause\n%s\n", here);
	for (size_t i = 0; i < PROGS_MAX && taken[i].name[0]; i++)
		fprintf(f, "%s\t%u\t%u\n", taken[i].name, taken[i].insns[NEW], taken[i].insns[OLD]);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_this_kernel_gets),
		cmocka_unit_test(what_an_older_kernel_gets),
	};
	int failed;

	if (trace_skip())
		return SKIP;
	if (argc == 3 && !strcmp(argv[1], "--write"))
		write_to = argv[2];
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (!failed && write_to && write_budget())
		failed = 1;
	return failed;
}
