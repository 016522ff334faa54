/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which file the kernel itself means by a mapping.  An overlay has inodes of its own, and stat(2) and,
 * since 6.8, /proc/PID/maps tell of those; the mapping holds the file of the layer below, and that is
 * where a probe goes.  Read by user space about its own mappings.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "file.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("?iter/task_vma")
int vma_rows(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct vma_row row = {};

	if (!task || !vma || task->pid != (__u32)bpf_get_current_pid_tgid() || !vma->vm_file)
		return 0;
	row.addr = vma->vm_start;
	row.file = file_key(vma->vm_file);
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}
