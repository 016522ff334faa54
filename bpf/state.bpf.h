/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side remembers, in the layout of its maps: the probe room reads and writes some of
 * it.  Unlike event.h nothing of this is ever stored, so it may change freely.  Only __uN types.
 */
#ifndef RINGSPAN_STATE_BPF_H
#define RINGSPAN_STATE_BPF_H

#include "event.h"
#include "glob.bpf.h"

/* Of a return probe: how far below its place at the entry the stack pointer is. */
#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)
#define RETURN_DEPTH (-8ll) /* the return address is gone from the stack */
#else
#define RETURN_DEPTH 0ll
#endif

#define SYS_CALLS 512     /* the numbers of x86-64 and arm64 are below it, those of x32 are not */
#define BLOCK_BY_FILE 255 /* in cfg_call_block: the file tells that the call names first */

/* What a thread, or several of a process, took. */
struct usage {
	__u64 cpu_ns, utime_ns, stime_ns, run_delay_ns;
	__u64 nvcsw, nivcsw, migrations, min_flt, maj_flt;
	__u64 rchar, wchar, read_bytes, write_bytes;
};

/* Where a thread is with the scheduler: see usage.bpf.h. */
struct task_sched {
	struct usage folded; /* what of its counters is in its process's, or is from before */
	__u64 on_ts;         /* since when it is on a CPU; 0: not seen to come there */
	__u64 off_ts;        /* since when it waits; `folded` is of that time, then */
	__u32 block;         /* enum ev_block + 1 while it waits; 0: it does not */
	__u32 known;         /* `folded` is right */
	__u32 gone;          /* it has ended but for its last switch */
	__u32 pad;
	__u64 blocked[EV_BLOCK_CNT]; /* so far */
};

/* What the threads of a traced process took, by tgid. */
struct proc_usage {
	__u64 start; /* of the process */
	__s32 threads;
	__u32 quiet;       /* nothing is told of it: see quiet.bpf.h */
	struct usage used; /* of each thread up to its last switch */
	__u64 sock_bytes[2];
	/*
	 * Off CPU by enum ev_block: the sum, less the beginnings of the waits that go on, which are as
	 * many as the second number.  Two numbers are not read at once, so what comes out is held
	 * against what was told before.
	 */
	__s64 blocked[EV_BLOCK_CNT], waiting[EV_BLOCK_CNT];
	__u64 told[EV_BLOCK_CNT];
	__u64 leader_lock_ns;
	struct ev_usage_calls calls; /* up to each thread's last switch */
	__u64 told_ts;               /* of the last USAGE */
};

#define CLASS_ROOM 8  /* EV_CALL_CLASSES, and an index that a mask keeps */
#define CALL_KNOWN 32 /* rows that a thread remembers, by the low bits of their numbers */

/* The system call that a thread of a traced process is in: see task.bpf.h. */
struct task_call {
	__u64 regs;       /* where the thread's registers are kept while it is in the kernel */
	__u64 enter_ts;   /* of the call; 0: in none that was seen to begin */
	__u64 start;      /* of the process */
	__u64 arg;        /* first argument of the call */
	__u64 entered_ts; /* where a call ends: when it was entered; 0: not seen */
	__u32 tgid;
	__u32 nr;     /* of the call */
	__u32 quiet;  /* as in proc_state: its calls are not counted */
	__u32 others; /* in the table: threads that belong here, too, and found no room */
	__u64 plain; /* what the last file is operated by that it read, and that can carry no flow */
	__u64 moving;    /* ... that can: a socket or a pipe */
	__u32 io;        /* enum io_end: what is to be done where it ends */
	__u32 plain_end; /* ... a read of that last file */
	__u32 classes;   /* bits: those of which there is something in the next two */
	__u32 pad1;
	__u32 calls[CLASS_ROOM]; /* since its last switch, by enum ev_call_class */
	__u64 ns[CLASS_ROOM];
	__u16 rows[CALL_KNOWN]; /* where in call_table its calls are counted, perhaps no longer */
} __attribute__((aligned(64)));

/*
 * A thread of a traced process.  Only the thread itself changes its entry; what is not of a traced
 * process has none.
 */
struct task_state {
	struct task_call
		own; /* of a thread that has no place in the table; first: its address is tested */
	struct task_sched sched;
	__u32 place;  /* in the table, + 1; 0: none */
	__u32 wanted; /* the place, + 1, that another thread had */
};

#define TRACED_SLOTS 32768 /* by the low bits of a process's id */

#define CALL_ERRNOS 192 /* those below 160, and from 512 on those of calls that begin anew */

struct proc_key {
	__u64 start;
	__u32 tgid;
	__u32 pad;
};

/* What is counted of one system call in one process. */
struct call_key {
	__u64 start;
	__u32 tgid, nr;
};

struct call_row {
	struct call_key key;
	__u64 total_ns, max_ns;
	__u64 errors;
	__u32 hist[EV_BUCKETS]; /* by ev_bucket(); the sum is the number of calls */
}
__attribute__((aligned(64))); /* a short process's are cold: what a call touches is in two lines */

struct call_errno_key {
	struct call_key call;
	__u32 err;
	__u32 pad;
};

/* Of which calls and errnos a process has rows: bytes, because bits would need a lock. */
struct call_use {
	__u64 first_ts;
	__u16 at[SYS_CALLS]; /* where in call_table; 0: call_index or call_rows tell, or there is none */
	__u8 nrs[SYS_CALLS];
	__u8 errnos[CALL_ERRNOS]; /* by call_errno_index() */
};

static inline __attribute__((always_inline)) __u32 call_errno_index(__u32 err)
{
	if (err < 160)
		return err;
	return err - 512 < 31 ? 160 + (err - 512) : CALL_ERRNOS - 1; /* no errno: any other */
}

static inline __attribute__((always_inline)) __u32 call_errno_at(__u32 index)
{
	return index < 160 ? index : index - 160 + 512;
};

/* A program in a process: what another one had, or another process of that id, is stale. */
struct life {
	__u64 start;   /* group leader's start time */
	__u64 exec_ts; /* its last exec that was seen, or 0 */
};

/* A traced process, by tgid. */
struct proc_state {
	union {
		struct {
			__u64 start, exec_ts;
		};
		struct life life;
	};
	__u64 rss_base;     /* pages: peak of what ran in it before that exec */
	struct usage ended; /* its threads that are gone */
	__u32 threads;      /* it ever had beside the first */
	__s32 alive;        /* threads that have not added to `ended` yet */
	__u32 counted;      /* `alive` is right: traced since there was one thread */
	__u32 go;           /* Go's crypto/tls was called in it */
	__u32 frees;        /* TLS objects were freed in it: their free function has a probe */
	__u32 quiet;        /* it may be no agent: see quiet.bpf.h */
	__u32 held;         /* it waits to be let go to its exec: until then it is ringspan's own */
	__u32 pad;
	__u64 fs_second;   /* files: when the second of their budget began; by enum ev_dir, */
	__u32 fs_told[2];  /* ... records in it of what is read, and of changes, */
	__u32 fs_over[2];  /* ... what no record told, */
	__u32 fs_open;     /* ... there may be something to tell when it ends */
	__u32 faults;      /* signals with a handler that were told: see signal.bpf.c */
	__u64 nss_methods; /* address of the table of NSS's TLS layer, once it was seen */
};

#define WATCH_CGROUPS 16
#define WATCH_LEVELS 32 /* of the cgroup tree that are searched */

/* Which processes are taken when they start a program, beside those that are followed anyway. */
struct watch_state {
	__u32 on;
	__u32 ask;   /* user space decides about what the rest lets through */
	__u32 quiet; /* they may be no agents */
	__u32 cgroup_cnt;
	struct glob comm;
	__u64 cgroups[WATCH_CGROUPS]; /* ids in the unified hierarchy; in or below one of them */
};

/* One row of the task iterator: a process as it is now. */
struct proc_row {
	struct proc_state state;
	__u64 parent_start;
	__u32 tgid, parent;
	__u32 uid;
	__u32 over; /* its last thread is ending, or it waits for its parent to ask how it ended */
	char comm[EV_COMM_LEN];
};

/* A TLS object of a process, a goroutine, or a kernel object that carries a flow. */
struct conn_key {
	__u64 ssl;
	__u32 tgid;
	__u32 pad;
};

struct conn_state {
	__u64 id;          /* in DATA, SOCK, CLOSE */
	__u64 start, born; /* process, and when first seen: tells a reused key */
	__u64 pos[2];      /* bytes moved so far, by enum ev_dir */
	__u64 ssl;
	__u64 sk;    /* socket it is bound to, or 0 */
	__u32 ports; /* of that socket: memory of sockets is reused */
	__u32 how;   /* enum ev_link, or 0 */
	__u64 ahead; /* bytes written that were told, and no call has accepted yet */
};

#define FLOW_HEAD 24      /* first bytes that are looked at */
#define FLOW_HEAD_ROOM 64 /* two offsets below 32 always fit */

enum flow_stage {
	FLOW_LOOK, /* nothing is known yet: the first bytes of calls are looked at */
	FLOW_COPY, /* known: its bytes become DATA */
	FLOW_SKIP, /* encrypted or unknown: its bytes are counted */
};

/* May it become TLS after all? */
enum flow_tunnel {
	TUNNEL_NONE = 0,
	TUNNEL_GREETED = 2, /* MySQL's: by the first or second write, which this counts down */
	TUNNEL = 3,         /* it began with CONNECT */
};

/* A socket, pipe or terminal that a process moves bytes through. */
struct flow_state {
	__u64 id;          /* in FLOW, DATA, FLOW_END */
	__u64 start, born; /* process, and when first seen: tells a reused key */
	__u64 ino, peer;   /* as in FLOW */
	__u64 pos[2];      /* bytes told so far, by enum ev_dir */
	__u64 bytes[2];    /* moved by the calls that are followed */
	union {
		__u64 unseen[2]; /* moved otherwise */
		struct {
			__u64 second, spent; /* of stdout, stderr: when it began, bytes in it */
		};
	};
	__u64 input_ts; /* when INPUT was told last */
	struct ev_addr addr;
	__u8 head[2][FLOW_HEAD_ROOM]; /* what may become something, zeroes behind it */
	__u32 head_len[2];
	__u32 looks;
	__s32 fd;
	__u8 src;    /* enum ev_src */
	__u8 proto;  /* enum ev_proto */
	__u8 stage;  /* enum flow_stage */
	__u8 told;   /* by FLOW */
	__u8 tunnel; /* enum flow_tunnel */
	__u8 closed; /* enum pipe_end: what of it the process has closed */
	/* of TLS, see shake.bpf.h; `head` is then of records' headers */
	__u8 shake; /* records of the handshake that may still be told; 0: none is looked for */
	__u8 shake_asks; /* direction of the ClientHello */
	__u8 shake_seen; /* directions in which a message came, as bits */
	__u8 pad[3];
	__u32 rec_left[2]; /* bytes of the record that goes on */
};

/* Who is to hear of a socket's end. */
struct sock_users {
	struct conn_key tls[2]; /* a library may have an object for each direction */
	__u32 flow_tgid;
	__u32 pad;
};

/* What a call does whose exit is looked at: enum ev_file_op, or one of these. */
enum path_what {
	PATH_UNLINKAT = 32, /* by its flags */
	PATH_OPEN = 33,     /* path2: which argument has the flags */
	PATH_OPEN_HOW = 34, /* ... points to struct open_how */
	PATH_CREAT = 35,
};

#define PATH_NO_DIR 7

/* Which arguments of a call, from 1, are paths, and the directories that they are relative to. */
struct path_call {
	__u8 what;
	__u8 dir, path; /* dir 0: the current one; PATH_NO_DIR: the path stands for itself */
	__u8 dir2, path2;
};

/* Which open files are followed; in cfg_files. */
enum files_mode {
	FILES_READ = 0, /* but libraries and the like: see open.bpf.c */
	FILES_CHANGED = 1,
	FILES_ALL = 2, /* and names that are not there */
};

/* A file that a process has open, by its struct file; sums since the open or since they were told. */
struct fs_file {
	__u64 start;    /* of the process that used it last, or opened it */
	__u64 inode;    /* struct inode *: tells a reused struct file */
	__u64 enter_ts; /* of its open */
	__u64 told_ts;  /* when it was told last, or opened */
	__u64 open_ns;
	__u64 bytes[2], ns[2]; /* by enum ev_dir */
	__u64 sync_ns, sync_max_ns;
	__u64 size; /* when it was opened, or told */
	__u32 calls[2], syncs;
	__u32 tgid; /* 0: it has ended, and others have the file */
	__u32 leaver,
		leaving; /* a process that ends, and how many of its descriptors are this file */
	__u32 flags;     /* enum ev_open_flag, those that do not change */
	__u8 mapped, program, told;
	__u8 pad;
};

#define FUNC_IDS 1024 /* functions that the user named, in all files */

/* What a cookie says beside the id in its low 16 bits; its high 32 bits: see entry_sp(). */
#define FUNC_BEGIN (1u << 16) /* a USDT probe where something begins ... */
#define FUNC_END (1u << 17)   /* ... and ends */

enum func_flag {
	FUNC_TAIL = 1,  /* may end as another function, which begins where its own stack did */
	FUNC_NAMES = 2, /* of a pair: both have the same first two arguments, which name it */
};

/* One of them, by its id. */
struct func_probe {
	__u32 texts; /* bits: arguments that are texts; EV_FUNC_RET: the result */
	__u32 args;  /* how many are told */
	__u32 flags; /* enum func_flag */
	__u32 pad;
};

/* Counters of one CPU: what struct ev_loss tells. */
struct cpu_stats {
	__u64 produced[EV_KERNEL_KINDS], lost_ring[EV_KERNEL_KINDS], lost_rate[EV_KERNEL_KINDS];
	__u64 content_bytes; /* that calls moved: data_bytes and all lost_*_bytes together */
	__u64 data_bytes;
	__u64 lost_ring_bytes, lost_map_bytes, lost_fault_bytes, lost_cap_bytes, lost_rate_bytes;
	__u64 lost_buffer_bytes, undecided_bytes;
	__u64 lost_map;   /* calls */
	__s64 unreported; /* records lost that no hdr.lost told yet */
};

struct file_key {
	__u64 dev, ino;
};

/* A mapping of a process, and the file that it maps. */
struct vma_row {
	__u64 addr;
	struct file_key file;
};

#endif
