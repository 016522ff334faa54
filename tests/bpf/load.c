/* SPDX-License-Identifier: BSD-2-Clause */
/* Every program that ships loads, in both variants, and stays cheap to verify. */
#include "trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "probe/feature.h"
#include "probe/func.h"
#include "probe/hook.h"
#include "ringspan.skel.h"

/* Instructions that the verifier of 6.18 looked at, with about a third to spare. */
static const struct budget {
	const char *prog;
	__u32 insns;
} budgets[] = {
	{ "connect_enter", 620 },
	{ "connect_exit", 4500 },
	{ "connect_state", 4500 },
	{ "mmap_enter", 300 },
	{ "mmap_exit", 200 },
	{ "proc_fork", 3000 },
	{ "accept_state", 50 },
	{ "accept_listen", 190 },
	{ "accept_enter", 320 },
	{ "accept_exit", 2200 },
	{ "reset_received", 180 },
	{ "reset_sent", 180 },
	{ "proc_exec", 69000 },
	{ "signal_deliver", 7600 },
	{ "sample", 1000 },
	{ "proc_exit", 61000 },
	{ "sched_switch", 14000 },
	{ "proc_rows", 1400 },
	{ "vma_rows", 150 },
	{ "sys_enter", 110 },
	{ "sys_exit", 24000 },
	{ "tie_send", 7400 },
	{ "tie_recv", 5100 },
	{ "io_read", 600 },
	{ "io_write", 300 },
	{ "io_readv", 600 },
	{ "io_writev", 300 },
	{ "io_sendto", 300 },
	{ "io_sendmsg", 300 },
	{ "io_sendmmsg", 300 },
	{ "io_pwrite64", 300 },
	{ "io_pwritev", 300 },
	{ "io_recvfrom", 300 },
	{ "io_recvmsg", 300 },
	{ "io_recvmmsg", 300 },
	{ "io_done", 72000 },
	{ "io_done_old", 160000 },
	{ "io_close", 31000 },
	{ "io_sock_state", 5600 },
	{ "io_setsockopt", 260 },
	{ "fs_done", 95000 },
	{ "fs_open_done", 100000 },
	{ "fs_dup", 14000 },
	{ "fs_exec", 45000 },
	{ "fs_pread", 14000 },
	{ "fs_pwrite", 14000 },
	{ "fs_sendfile", 14000 },
	{ "fs_copy", 14000 },
	{ "fs_sync", 230 },
	{ "tls_read_enter", 750 },
	{ "tls_write_enter", 750 },
	{ "tls_read_ex_enter", 750 },
	{ "tls_write_ex_enter", 750 },
	{ "tls_write_ex2_enter", 750 },
	{ "tls_exit", 17000 },
	{ "tls_sendfile_enter", 750 },
	{ "tls_free_enter", 200 },
	{ "tls_clear_enter", 200 },
	{ "gnutls_recv_enter", 750 },
	{ "gnutls_packet_enter", 750 },
	{ "gnutls_send_enter", 750 },
	{ "gnutls_sendfile_enter", 750 },
	{ "gnutls_uncork_enter", 750 },
	{ "nss_read_enter", 900 },
	{ "nss_recv_enter", 900 },
	{ "nss_write_enter", 900 },
	{ "nss_writev_enter", 900 },
	{ "nss_close_enter", 500 },
	{ "nss_import_exit", 250 },
	{ "tls_read_enter_old", 510 },
	{ "tls_write_enter_old", 510 },
	{ "tls_read_ex_enter_old", 510 },
	{ "tls_write_ex_enter_old", 510 },
	{ "tls_write_ex2_enter_old", 510 },
	{ "tls_exit_old", 50000 },
	{ "tls_sendfile_enter_old", 510 },
	{ "tls_free_enter_old", 200 },
	{ "tls_clear_enter_old", 200 },
	{ "gnutls_recv_enter_old", 510 },
	{ "gnutls_packet_enter_old", 510 },
	{ "gnutls_send_enter_old", 510 },
	{ "gnutls_sendfile_enter_old", 510 },
	{ "gnutls_uncork_enter_old", 510 },
	{ "nss_read_enter_old", 900 },
	{ "nss_recv_enter_old", 900 },
	{ "nss_write_enter_old", 900 },
	{ "nss_writev_enter_old", 900 },
	{ "nss_close_enter_old", 500 },
	{ "nss_import_exit_old", 250 },
	{ "func_enter", 3900 },
	{ "func_exit", 5800 },
	{ "func_point", 4100 },
	{ "func_usdt", 20000 },
	{ "func_thread_exit", 2700 },
	{ "func_thread_exec", 2700 },
	{ "func_enter_old", 80000 },
	{ "func_exit_old", 42000 },
	{ "func_point_old", 80000 },
	{ "func_usdt_old", 133000 },
	{ "func_thread_exit_old", 40000 },
	{ "func_thread_exec_old", 40000 },
	{ "gotls_read_enter", 600 },
	{ "gotls_write_enter", 600 },
	{ "gotls_exit", 9000 },
	{ "gotls_close_enter", 200 },
	{ "gotls_read_enter_old", 600 },
	{ "gotls_write_enter_old", 600 },
	{ "gotls_exit_old", 50000 },
	{ "gotls_close_enter_old", 200 },
	{ "rustls_encrypt", 29000 },
	{ "rustls_decrypt_enter", 300 },
	{ "rustls_decrypt_exit", 11000 },
	{ "rustls_encrypt_old", 212000 },
	{ "rustls_decrypt_enter_old", 300 },
	{ "rustls_decrypt_exit_old", 60000 },
};

static __u32 budget_of(const char *prog)
{
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++)
		if (strcmp(budgets[i].prog, prog) == 0)
			return budgets[i].insns;
	fail_msg("no budget is recorded for %s", prog);
	return 0;
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static void load(const struct features *f)
{
	struct ringspan_bpf *skel = ringspan_bpf__open();
	struct bpf_program *prog;

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
	funcs_select(skel->obj, f, true);
	bpf_program__set_autoload(skel->progs.sample, true);
	assert_int_equal(ringspan_bpf__load(skel), 0);
	bpf_object__for_each_program (prog, skel->obj) {
		const char *name = bpf_program__name(prog);
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);

		if (bpf_program__fd(prog) < 0)
			continue;
		assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len), 0);
		printf("# %-24s verified %6u insns, %6u bytes\n", name, info.verified_insns,
		       info.xlated_prog_len);
		if (info.verified_insns) /* told since 5.16 */
			assert_in_range(info.verified_insns, 1, budget_of(name));
	}
	ringspan_bpf__destroy(skel);
}

static void what_this_kernel_gets(void **state)
{
	struct features f;

	(void)state;
	features_try(&f, true);
	load(&f);
}

static void what_an_older_kernel_gets(void **state)
{
	struct features f;

	(void)state;
	features_try(&f, true);
	features_force_off(&f, FEAT_MULTI);
	features_force_off(&f, FEAT_GUARD);
	features_force_off(&f, FEAT_LOOP);
	features_force_off(&f, FEAT_STORAGE);
	features_force_off(&f, FEAT_SOCKLEN);
	load(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_this_kernel_gets),
		cmocka_unit_test(what_an_older_kernel_gets),
	};

	return trace_skip() ? SKIP : cmocka_run_group_tests(tests, NULL, NULL);
}
