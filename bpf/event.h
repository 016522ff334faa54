/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire format: the only header that both sides include.
 *
 * The BPF side includes it after vmlinux.h, user space after <linux/types.h>, so it names only __uN
 * types and no kernel struct.  Every record is
 *
 *	struct ev_hdr | kind-specific fields | payload bytes
 *
 * and hdr.size covers all three, so a reader skips a kind it does not know.  Kinds are append-only:
 * a capture recorded today must still decode next year.  Kinds below EV_FACT come from the kernel,
 * those from EV_FACT on are what user space learnt by itself (a command line, a file it hooked):
 * they travel in the same stream, so that a replay sees exactly what the live run saw.  SYSCALLS is in
 * between: the kernel side counts, and user space, which reads that now and then, makes the record.
 *
 * Times are CLOCK_MONOTONIC ns (bpf_ktime_get_ns), sizes are bytes, ports are in host byte order,
 * IPv4 addresses stand in the first four bytes of their sixteen.
 */
#ifndef RINGSPAN_EVENT_H
#define RINGSPAN_EVENT_H

#define EV_ABI 1                /* goes into the capture file header */
#define EV_COMM_LEN 16          /* TASK_COMM_LEN */
#define EV_ARGS_MAX 16384       /* argv bytes in one EXEC */
#define EV_CHUNK_MAX 16384      /* payload bytes in one DATA: one TLS record, RFC 8446 5.1 */
#define EV_CGROUP_MAX 8192      /* bytes of /proc/PID/cgroup in one CGROUP */
#define EV_STACK_MAX 32768      /* bytes of text in one STACK */
#define EV_SIZE_MAX (64 * 1024) /* no record is larger */
#define EV_FACT 512
#define EV_KERNEL_KINDS 32 /* kinds of records that the kernel side makes are below it */

/* Kinds of system calls, by their names: schemas/syscalls.def. */
enum ev_call_class {
	EV_CALL_OTHER = 0,
	EV_CALL_FILE = 1,
	EV_CALL_NETWORK = 2,
	EV_CALL_POLL = 3, /* waiting for something, or for some time */
	EV_CALL_FUTEX = 4,
	EV_CALL_PROCESS = 5,
	EV_CALL_MEMORY = 6,
	EV_CALL_CLASSES = 7,
};

/*	NAME		id	struct */
#define EV_KINDS(X)                  \
	X(FORK, 1, ev_fork)          \
	X(EXEC, 2, ev_exec)          \
	X(EXIT, 3, ev_exit)          \
	X(DATA, 4, ev_data)          \
	X(SOCK, 5, ev_sock)          \
	X(CONNECT, 6, ev_connect)    \
	X(CLOSE, 7, ev_close)        \
	X(MAP, 8, ev_map)            \
	X(FLOW, 9, ev_flow)          \
	X(FLOW_END, 10, ev_flow_end) \
	X(JOIN, 11, ev_join)         \
	X(INPUT, 12, ev_input)       \
	X(SEEN, 13, ev_seen)         \
	X(FILE, 14, ev_file)         \
	X(SIGNAL, 15, ev_signal)     \
	X(USAGE, 16, ev_usage)       \
	X(SYSCALL, 17, ev_syscall)   \
	X(SYSCALLS, 18, ev_syscalls) \
	X(FUNCTION, 19, ev_function) \
	X(SAMPLE, 20, ev_sample)     \
	X(ACCEPT, 21, ev_accept)     \
	X(TLS, 22, ev_tls)           \
	X(RESET, 23, ev_reset)       \
	X(OPEN, 24, ev_open)         \
	X(THREADS, 25, ev_threads)   \
	X(META, 512, ev_meta)        \
	X(RUN, 513, ev_run)          \
	X(PROC, 514, ev_exec)        \
	X(HOOKED, 515, ev_hooked)    \
	X(STATS, 516, ev_stats)      \
	X(TICK, 517, ev_tick)        \
	X(END, 518, ev_tick)         \
	X(CGROUP, 519, ev_cgroup)    \
	X(STACK, 520, ev_stack)      \
	X(FRAMES, 521, ev_frames)    \
	X(PROBE, 522, ev_probe)      \
	X(CLOCK, 523, ev_clock)      \
	X(LOSS, 524, ev_loss)        \
	X(FUNC_OPEN, 527, ev_function)

enum ev_kind {
#define X(name, id, type) EV_##name = id,
	EV_KINDS(X)
#undef X
};

enum ev_flag {
	EVF_TRUNC = 1 << 0, /* payload is shorter than what there was: the rest was cut by a cap */
	EVF_FAULT = 1 << 1, /* payload could not be read from the process */
	EVF_NOREF = 1 << 2, /* process start time unknown (only facts, when the process is gone) */
};

struct ev_hdr {
	__u32 size;  /* whole record */
	__u16 kind;  /* enum ev_kind */
	__u16 flags; /* enum ev_flag */
	__u64 ts;    /* when it was seen; of a call: when it returned */
	__u32 tgid, tid;
	__u64 start; /* start time of the thread group's leader: with tgid a name for ever */
	__u32 cpu;
	__u32 lost; /* records this CPU dropped since its last good one */
};

/* A process (not a thread) was forked; hdr names the parent. */
struct ev_fork {
	struct ev_hdr hdr;
	__u64 child_start;
	__u32 child; /* tgid */
	__u32 pad;
};

/* A program was started (EXEC), or is found running (PROC).  Payload: path, NUL, argv each with NUL. */
struct ev_exec {
	struct ev_hdr hdr;
	__u64 parent_start;
	__u32 parent; /* tgid of the real parent */
	__u32 uid;
	__u32 path_len;   /* bytes of path with its NUL */
	__u32 args_len;   /* bytes of argv here */
	__u32 args_total; /* bytes of argv in the process */
	__u32 pad;
	char comm[EV_COMM_LEN];
};

/* The last thread of a process ended.  Totals of the whole thread group. */
struct ev_exit {
	struct ev_hdr hdr;
	__s32 status;  /* as wait(2) gives it: code << 8 | signal */
	__u32 threads; /* threads it ever had beside the first; 0 when unknown */
	__u64 cpu_ns;  /* on CPU, by sum_exec_runtime: exact up to its last switch or tick */
	__u64 utime_ns, stime_ns; /* by tick: gives the ratio, not the sum */
	__u64 run_delay_ns;       /* waiting in a run queue */
	__u64 nvcsw, nivcsw;      /* voluntary and involuntary context switches */
	__u64 min_flt, maj_flt;
	__u64 rss_peak_bytes;          /* of its last program; 0 when not known */
	__u64 rchar, wchar;            /* bytes by read and write calls, any kind of file */
	__u64 read_bytes, write_bytes; /* bytes that reached the block layer */
};

/* What a thread that has left its CPU waits for.	name, id */
#define EV_BLOCKS(X)                                                                      \
	X(DISK, 0)     /* a block device, or the file system on it */                     \
	X(NETWORK, 1)  /* a read, write, accept or connect of a socket but AF_UNIX */     \
	X(PIPE, 2)     /* the same of a pipe, or a socket of AF_UNIX */                   \
	X(TERMINAL, 3) /* a read or write of one */                                       \
	X(LOCK, 4)     /* a futex, a semaphore, a lock of a file */                       \
	X(POLL, 5)     /* any of several files: poll, select, epoll, io_uring; eventfd */ \
	X(CHILD, 6)    /* a process that it started */                                    \
	X(SLEEP, 7)    /* a time */                                                       \
	X(OTHER, 8)

enum ev_block {
#define X(name, id) EV_BLOCK_##name = id,
	EV_BLOCKS(X)
#undef X
		EV_BLOCK_CNT
};

/*
 * What a process has taken so far, all threads, since it was forked or, of one that ran already, since
 * it is traced.  Told before a record of the process that may begin or end something when the last one
 * is not fresh any more, now and then while it runs, and right before EXIT.  Threads that run elsewhere
 * at that time are counted up to their last switch.  Payload: struct ev_usage_calls, or none: records that
 * were made before there was one.
 */
struct ev_usage {
	struct ev_hdr hdr;
	__u64 cpu_ns;             /* on CPU */
	__u64 utime_ns, stime_ns; /* by tick: gives the ratio, not the sum */
	__u64 run_delay_ns;       /* waiting in a run queue */
	__u64 nvcsw, nivcsw, migrations;
	__u64 min_flt, maj_flt;
	__u64 rchar, wchar;              /* bytes by read and write calls, any kind of file */
	__u64 read_bytes, write_bytes;   /* bytes that reached the block layer */
	__u64 sock_bytes[2];             /* by enum ev_dir: of sockets but AF_UNIX */
	__u64 rss_bytes, rss_peak_bytes; /* now, and of this program; 0 when not known */
	__u64 blocked_ns[EV_BLOCK_CNT];  /* off CPU by enum ev_block, run_delay_ns not in it */
	__u64 leader_lock_ns;            /* of LOCK what the main thread was, up to its last wait */
};

/*
 * A thread, which hdr names, of a process that had several: what it took since its beginning, on CPU
 * up to its last switch or tick; blocked_ns since it is traced.  Told when it ends, and of one that lives
 * with USAGE that user space asks for: the latest stands.  One that took less than a millisecond of CPU
 * is not told.
 */
struct ev_threads {
	struct ev_hdr hdr;
	__u64 begin_ts;
	__u64 cpu_ns, utime_ns, stime_ns, run_delay_ns;
	__u64 nvcsw, nivcsw, migrations;
	__u64 blocked_ns[EV_BLOCK_CNT];
	char comm[EV_COMM_LEN];
};

/* By enum ev_call_class; of a call that the thread is in, and that tells, what it took so far is in ns. */
struct ev_usage_calls {
	__u64 calls[EV_CALL_CLASSES];
	__u64 ns[EV_CALL_CLASSES];
};

enum ev_dir { EV_READ = 0, EV_WRITE = 1 };

/*
 * Where bytes were seen.  Below EV_SRC_FLOW: at the functions of a TLS library, as plaintext.
 * BoringSSL has OpenSSL's functions, so a DATA record of either says OPENSSL; HOOKED tells them
 * apart.  From EV_SRC_FLOW on: at system calls on a file, which tells what kind of file.
 */
enum ev_src {
	EV_SRC_OPENSSL = 1,
	EV_SRC_OPENSSL_STATIC = 2,
	EV_SRC_BORINGSSL = 3,
	EV_SRC_GOTLS = 5,
	EV_SRC_RUSTLS = 6, /* a TLS connection is two objects there, one for each direction */
	EV_SRC_GNUTLS = 7,
	EV_SRC_NSS = 8,
	EV_SRC_FLOW = 16,
	EV_SRC_STREAM = 16, /* TCP, or a stream socket of AF_UNIX */
	EV_SRC_DGRAM =
		17, /* UDP: of a buffer up to EV_CHUNK_MAX one record, which begins a datagram */
	EV_SRC_PIPE = 18,
	EV_SRC_TTY = 19, /* either side of a pseudo terminal */
	/*
	 * What a process writes to its descriptors 1 and 2, whatever file that is, where it was asked
	 * for.  No connection: `conn` names process and descriptor, and bytes that a position skips
	 * went over the budget of a second.
	 */
	EV_SRC_STDOUT = 20,
	EV_SRC_STDERR = 21,
};

/* Bytes that a process moved through a connection; a long call is many records. */
struct ev_data {
	struct ev_hdr hdr;
	__u64 conn;     /* names the TLS object or flow and its generation; unique in a capture */
	__u64 pos;      /* stream offset of payload[0]; each direction counts its own */
	__u64 enter_ts; /* when the call was entered */
	__u32 len;      /* payload bytes here */
	__u32 missing;  /* bytes after the payload that a cap or a fault kept back */
	__u8 dir;       /* enum ev_dir */
	__u8 src;       /* enum ev_src */
	__u8 pad[6];
};

struct ev_addr {
	__u16 family; /* AF_INET, AF_INET6; 0 unknown */
	__u16 lport, rport;
	__u16 pad;
	__u8 laddr[16], raddr[16];
};

enum ev_link { EV_LINK_NESTED = 1, EV_LINK_RECV = 2, EV_LINK_SEND = 3 };

/* A TLS object was seen to sit on a socket. */
struct ev_sock {
	struct ev_hdr hdr;
	__u64 conn;
	__u64 sock; /* names the socket while it lives */
	struct ev_addr addr;
	__u32 how; /* enum ev_link: by a call nested in the TLS call, or by order */
	__u32 pad;
};

/*
 * What DATA told of `conn` is a part of another connection's stream: it was written before it could
 * be known on which socket.  Nothing more comes under that name.
 */
struct ev_join {
	struct ev_hdr hdr;
	__u64 conn;
	__u64 into;
	__u64 pos; /* in `into` of the first byte */
	__u8 dir;  /* enum ev_dir */
	__u8 pad[7];
};

/*
 * A process read from a terminal it runs in, or from a pipe at descriptor 0: where a human, or who
 * stands in for one, answers.  When and how much, never what.  Not told again within INPUT_NS.
 */
struct ev_input {
	struct ev_hdr hdr;
	__u64 conn;     /* as FLOW would name it */
	__u64 enter_ts; /* when the call was entered: hdr.ts - enter_ts is what it waited */
	__u64 bytes;
	__u32 src; /* enum ev_src: TTY or PIPE */
	__s32 fd;
};

/* connect(2) came to its end, at once or later. */
struct ev_connect {
	struct ev_hdr hdr;
	__u64 sock;
	__u64 enter_ts; /* when connect was entered; hdr.ts - enter_ts is its latency */
	struct ev_addr addr;
	__s32 err; /* 0, or -errno */
	__u32 pad;
};

/* Where the streams of a connection end, by enum ev_dir: what DATA did not tell before it is missing. */
struct ev_ends {
	__u64 pos[2];
};

/* A TLS object was freed: its stream ends here.  Payload: struct ev_ends, none in early recordings. */
struct ev_close {
	struct ev_hdr hdr;
	__u64 conn;
};

/* What the first bytes of a flow look like. */
enum ev_proto {
	EV_PROTO_UNKNOWN = 0,
	EV_PROTO_HTTP1 = 1,
	EV_PROTO_HTTP2 = 2,
	EV_PROTO_JSONRPC = 3, /* an object that begins with a member of JSON-RPC's */
	EV_PROTO_DNS = 4,     /* by its port */
	EV_PROTO_TLS = 5,
	EV_PROTO_QUIC = 6,
	EV_PROTO_POSTGRES = 7, /* a client's start-up message */
	EV_PROTO_REDIS = 8,    /* a client's first command */
	EV_PROTO_MYSQL = 9,    /* a server's greeting, or a client's statement */
};

/* In ev_flow.file: the master of the terminal whose slave has this inode number. */
#define EV_TTY_MASTER (1ULL << 32)

/*
 * A process moves bytes by system calls through a socket, pipe or terminal, and they look like
 * something known: told once, and again when it becomes something else (TLS behind CONNECT).  DATA
 * follows, but for TLS and QUIC, whose first bytes (a ClientHello) are the payload here.  A file that
 * carries nothing known makes no record at all, unless it is an inet socket: that one is UNKNOWN.
 */
struct ev_flow {
	struct ev_hdr hdr;
	__u64 conn; /* names process and file object, as in DATA */
	__u64 file; /* inode number: of a socket what SOCK and CONNECT call sock */
	__u64 peer; /* AF_UNIX and terminals: what the other end has as file; 0 unknown */
	struct ev_addr addr;
	__u32 src;   /* enum ev_src */
	__u32 proto; /* enum ev_proto */
	__s32 fd;    /* by which it was first used; -1 unknown */
	__u32 len;   /* payload */
};

/* A flow of which FLOW told is over: its file was closed for good.  Payload: as of CLOSE. */
struct ev_flow_end {
	struct ev_hdr hdr;
	__u64 conn;
	__u64 file;
	struct ev_addr addr;
	__u64 bytes[2]; /* by enum ev_dir; of TCP what the kernel counted on the socket */
	__u64 unseen
		[2]; /* of these, moved by none of the calls that are followed: sendfile, io_uring */
	__u64 rtt_ns;     /* TCP: smoothed round trip time; 0 unknown */
	__u32 retrans;    /* TCP: segments sent again */
	__u32 rtt_min_us; /* TCP: the shortest of the last minutes; 0 unknown */
};

/*
 * A record of TLS's record layer (RFC 8446 5.1) on a connection that FLOW told of as TLS, until its
 * handshake is over: told when its last byte was moved, of an alert and of a direction's first handshake
 * message when the first bytes of what it holds were, which are the payload.  Not told: the one that FLOW
 * has as its payload.
 */
struct ev_tls {
	struct ev_hdr hdr;
	__u64 conn; /* of FLOW */
	__u64 file;
	__u64 enter_ts; /* when the call was entered that moved it */
	__u16 version;  /* that the header has: what is spoken is in the hello */
	__u16 size;     /* of what the record holds */
	__u16 len;      /* payload */
	__u8 type;      /* RFC 8446 B.1: 20 change_cipher_spec, 21 alert, 22 handshake, 23 data */
	__u8 dir;       /* enum ev_dir */
	__u8 client;    /* 1: made by the side that the ClientHello is of */
	__u8 pad[7];
};

/* accept(2) gave a connection of IPv4 or IPv6. */
struct ev_accept {
	struct ev_hdr hdr;
	__u64 sock; /* as of CONNECT */
	__u64 enter_ts;
	__u64 established_ts; /* since when it waited in the listener's backlog; 0 unknown */
	struct ev_addr addr;
	__u32 backlog, backlog_max; /* connections that wait there now, and may at most */
	__u32 drops;                /* connections that the listener had no room for, ever */
	__u32 pad;
};

enum ev_reset_by { EV_RESET_PEER = 1, EV_RESET_SELF = 2 };

/* A TCP connection was broken off by a RST, in a direction that `by` tells. */
struct ev_reset {
	struct ev_hdr hdr;
	__u64 conn; /* of FLOW */
	__u64 file;
	struct ev_addr addr;
	__u32 by; /* enum ev_reset_by: who sent it */
	__u32 pad;
};

/* A process mapped a file executable that no traced process had mapped before. */
struct ev_map {
	struct ev_hdr hdr;
	__u64 dev, ino;
	__u64 addr;
};

/*
 * A process that was not followed started a program which the selection lets through: for the probe
 * room alone, which hands on RUN and what follows, or nothing.
 */
struct ev_seen {
	struct ev_hdr hdr;
	__u32 taken; /* it is followed from here on; else user space is to decide */
	__u32 pad;
};

#define EV_FRAMES_MAX 64 /* frames in one SIGNAL */
#define EV_BUILD_ID 20   /* bytes; a shorter one has zeroes behind it */

struct ev_frame {
	__u64 ip;      /* of the first frame the instruction, of others where they go on */
	__u64 offset;  /* of ip in the file */
	__u32 in_file; /* 1: offset and build_id are known; 0: a file without one, or no file */
	__u8 build_id[EV_BUILD_ID];
};

/*
 * A thread, which hdr names, takes a signal that programs crash by: SIGILL, SIGTRAP, SIGABRT, SIGBUS,
 * SIGFPE, SIGSEGV, SIGSYS.  Payload: `frames` struct ev_frame, innermost first, by frame pointers: a
 * function that keeps none hides its caller or ends the stack.
 */
struct ev_signal {
	struct ev_hdr hdr;
	__u64 addr; /* si_addr; 0 when code says that there is none */
	__s32 signal;
	__s32 code;    /* si_code: above 0 the kernel's own reason */
	__u32 sender;  /* tgid in the receiver's namespace, of a code that is not above 0 */
	__u32 handled; /* 1: the program has a handler for it, and may go on */
	__u32 frames;
	__u32 pad;
	char comm[EV_COMM_LEN]; /* of the thread */
};

/* What was done to a file.  Two paths: of RENAME from and to; of LINK and SYMLINK the new one and where it leads. */
enum ev_file_op {
	EV_FILE_OVER = 0, /* nothing but `over` */
	EV_FILE_WRITE =
		1, /* opened for writing: refused; in earlier recordings also, by now closed */
	EV_FILE_REMOVE = 2,
	EV_FILE_RENAME = 3,
	EV_FILE_MKDIR = 4,
	EV_FILE_RMDIR = 5,
	EV_FILE_LINK = 6,
	EV_FILE_SYMLINK = 7,
	EV_FILE_TRUNCATE = 8, /* by its path */
};

enum ev_file_flag {
	EV_FILE_CREATED = 1,
	EV_FILE_TRUNCATED = 2, /* O_TRUNC: what was in it is gone */
	EV_FILE_GONE = 4,      /* it has no name (any more) */
};

/*
 * A process changed what is in the file system, or was refused to.  What was opened and not changed
 * makes no record here.  Payload: of each path the directory that it is relative to, as names from the last
 * one up, each with NUL (a "/" among them is a root on the way, and no name), then the path as the call
 * gave it, with NUL.  Of WRITE all is in the directory's names; of an absolute path the directory is
 * empty.  EVF_TRUNC: names or ends of paths are missing.
 */
struct ev_file {
	struct ev_hdr hdr;
	__u64 enter_ts; /* when the call was entered; of WRITE the open */
	__u64 bytes;    /* WRITE: by write calls since the open */
	__u64 size;     /* WRITE: of the file now */
	__u32 op;       /* enum ev_file_op */
	__u32 flags;    /* enum ev_file_flag */
	__s32 err;      /* 0, or -errno */
	__u32 over;     /* changes of the process that went over its budget and no record told */
	__u32 len[4];   /* directory, path, second directory, second path */
};

enum ev_open_flag {
	EV_OPEN_CREATED = 1,   /* enum ev_file_flag */
	EV_OPEN_TRUNCATED = 2, /* likewise */
	EV_OPEN_GONE = 4,      /* likewise */
	EV_OPEN_WRITE = 8,     /* for writing, too */
	EV_OPEN_MAPPED = 16,   /* its content was mapped: what was read so is not known */
	EV_OPEN_PROGRAM = 32,  /* ... to be executed */
	EV_OPEN_PART = 64,     /* it is still open */
	EV_OPEN_ALL = 128,     /* every file was asked for */
	EV_OPEN_CHANGED = 256, /* made, emptied, written to, or of another size */
};

/*
 * A process had a file open, and by now it is closed, or (PART) stays open: then this tells what came since
 * it was opened or told before.  Or it could not be opened (err).  Of a file that was only read there is
 * none where it is a program, a library, or what is installed beside them, unless all were asked for.
 * Payload: the path, as in FILE: where err is not 0 as the call gave it, else all in the directory's
 * names.  No payload: nothing but `over`.
 */
struct ev_open {
	struct ev_hdr hdr;
	__u64 enter_ts; /* when the open was entered */
	__u64 open_ns;  /* and what it took; 0: told before */
	__u64 bytes[2]; /* by enum ev_dir: moved by read and write calls */
	__u64 ns[2];    /* likewise: time in them */
	__u64 sync_ns;  /* time in fsync, fdatasync and sync_file_range */
	__u64 sync_max_ns;
	__u64 size; /* of the file now */
	__u32 calls[2], syncs;
	__u32 flags; /* enum ev_open_flag */
	__s32 err;   /* 0, or -errno */
	__u32 over
		[2]; /* went over the process's budget, told by no record: [1] changes, [0] the rest */
	__u32 len[2]; /* directory, path */
	__u32 pad;
};

#define EV_PATH_MAX 512 /* bytes of path in one SYSCALL, with NUL */

enum ev_why {
	EV_WHY_ASKED = 1,  /* all calls of that number are wanted */
	EV_WHY_SLOW = 2,   /* it took as long as is told of its class */
	EV_WHY_FAILED = 4, /* by an errno that is wanted */
};

/*
 * One system call, of the thread that hdr names; hdr.ts is when it returned.  Payload: the path that it
 * is about, as the call gave it, without NUL, read when it returned.
 */
struct ev_syscall {
	struct ev_hdr hdr;
	__u64 enter_ts;
	__u64 args[6];
	__s64 ret;
	__u32 nr;  /* by the machine of META */
	__u32 why; /* enum ev_why */
	__u32 len;
	__u32 pad;
};

/*
 * Buckets of durations: of 32 ns each below 128 ns, from there on four to each power of two, so that a
 * bucket's end is at most a quarter above its beginning.  The last one has all from 120 s on.
 */
#define EV_BUCKETS 124

static inline __attribute__((always_inline)) __u32 ev_bucket(__u64 ns)
{
	__u32 log2 = 0, v = ns;

	if (ns < 128)
		return ns >> 5;
	if (ns >> 37)
		return EV_BUCKETS - 1;
	if (ns >> 32) {
		log2 = 32;
		v = ns >> 32;
	}
	if (v >> 16) {
		log2 += 16;
		v >>= 16;
	}
	if (v >> 8) {
		log2 += 8;
		v >>= 8;
	}
	if (v >> 4) {
		log2 += 4;
		v >>= 4;
	}
	if (v >> 2) {
		log2 += 2;
		v >>= 2;
	}
	log2 += v >> 1;
	return (log2 - 6) * 4 + (ns >> (log2 - 2) & 3);
}

struct ev_count {
	__u32 what;
	__u32 cnt;
};

/*
 * What was counted of one system call in a process, which hdr names, since it was told before: about
 * once a second, and before EXIT.  A call counts when it returns: one that the end of its thread cuts
 * short does so with one of the errnos from 512 on (ERESTARTSYS ...), exit and exit_group never do.  Payload: `buckets` struct ev_count by ev_bucket(), ascending, whose
 * sum is the number of calls that returned; then `errnos` of them by errno.
 */
struct ev_syscalls {
	struct ev_hdr hdr;
	__u64 since_ts; /* when it was told before; or of the process's first count, when that began */
	__u64 total_ns; /* from entry to return */
	__u64 max_ns;   /* of the longest so far, not only since then */
	__u32 nr;
	__u32 errors; /* of the calls, those that failed */
	__u32 buckets, errnos;
};

#define EV_FUNC_ARGS 6
#define EV_FUNC_TEXT 256 /* bytes of one text in a FUNCTION, with NUL */
#define EV_FUNC_RET 6    /* the bit of the result, behind those of the arguments */

enum ev_func_end {
	EV_FUNC_RETURNED = 0,
	EV_FUNC_LEFT = 1, /* by a jump past its return (longjmp, an exception); hdr.ts: seen then */
	EV_FUNC_EXIT = 2, /* its thread ended in it */
	EV_FUNC_EXEC = 3, /* another program took the process's place */
	EV_FUNC_POINT = 4, /* no call, but a place that the thread passed at hdr.ts */
	EV_FUNC_OVER = 5,  /* no call either: only over_thread says something */
	EV_FUNC_ENDS = 6,
};

/*
 * A call of a function that the user named, told when it ends, or a place that was passed; FUNC_OPEN: one
 * that has not ended, with USAGE that user space asks for.  The thread that hdr names counts its calls as they begin: that number is `frame`, so that what calls what is
 * exact.  Payload: texts with a NUL each, of the bits of `texts` in rising order, then of those of `late`.
 */
struct ev_function {
	struct ev_hdr hdr; /* ts: when it ended, or was seen to be open */
	__u64 enter_ts;
	__u64 frame;  /* from 1 */
	__u64 parent; /* frame of the call that it was made in, of those that are told; 0: in none */
	__u64 parent_ts;          /* when that was entered */
	__u64 args[EV_FUNC_ARGS]; /* registers as they are: the format tells how wide they are */
	__u64 ret;
	__u32 probe; /* id of a PROBE; 0: of none */
	__u32 parent_probe;
	__u32 depth;       /* calls around it */
	__u32 over;        /* calls made right in it that were not told: of too many, or too deep */
	__u32 over_thread; /* calls of the thread that were not told since the last record of it */
	__u8 texts;        /* bits: arguments that are texts, read when it was entered */
	__u8 late; /* ... read when it ended: the result; and what could not be read before */
	__u8 cut;  /* ... of which the end is missing */
	__u8 end;  /* enum ev_func_end */
};

#define EV_SAMPLE_USER 127  /* frames of each kind in one SAMPLE, at most */
#define EV_SAMPLE_KERNEL 64 /* ... */

enum ev_place_at {
	EV_PLACE_NONE = 0,
	EV_PLACE_FILE = 1,    /* `at` is an offset in the file of that build id */
	EV_PLACE_ADDRESS = 2, /* `at` is an address: no file, or one that the kernel did not tell */
};

struct ev_place {
	__u32 what; /* enum ev_place_at */
	__u8 build_id[EV_BUILD_ID];
	__u64 at;
};

/*
 * What the thread that hdr names was at when the time on CPU of one period had passed.  Payload: the user
 * stack, then the kernel's, each innermost first: the instruction, of the others where they go on.
 * The user stack is `user` struct ev_place while the program is young and its mappings are not known
 * to user space, else as many __u64 addresses; the kernel's is `kernel` __u64 addresses, none where the
 * program itself ran.  EVF_FAULT: the user stack could not be read; EVF_TRUNC: it goes on.
 */
struct ev_sample {
	struct ev_hdr hdr;
	__u64 exec_ts;   /* of the last exec that was seen: with hdr a program; 0: none was */
	__u64 period_ns; /* of time on CPU that the sample stands for */
	__u32 user, kernel;
	__u32 by_file; /* 1: user frames are struct ev_place */
	__u32 pad;
	char comm[EV_COMM_LEN]; /* of the thread */
};

/* First record of a stream.  Payload: "key=value" each with NUL: boot_id, host, kernel, arch, version. */
struct ev_meta {
	struct ev_hdr hdr;
	__s64 wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC when recording began */
	__u32 len;
	__u32 pad;
};

enum ev_run_origin { EV_RUN_RECORD = 1, EV_RUN_ATTACH = 2 };

/* hdr names a process whose tree is one run. */
struct ev_run {
	struct ev_hdr hdr;
	__u32 origin; /* enum ev_run_origin */
	__u32 pad;
};

/* A file got its probes.  Payload: path. */
struct ev_hooked {
	struct ev_hdr hdr;
	__u64 dev, ino;
	__u32 src;   /* enum ev_src */
	__u32 hooks; /* how many functions */
	__u32 len;
	__u32 pad;
};

/*
 * The control groups of a process, where they are not those of its parent.  Payload: /proc/PID/cgroup
 * as cgroups(7) has it.
 */
struct ev_cgroup {
	struct ev_hdr hdr;
	__u32 len;
	__u32 pad;
};

enum ev_stack_method {
	EV_STACK_NONE = 0, /* the stack could not be read */
	EV_STACK_TOP = 1,  /* where it happened, and no more */
	EV_STACK_FRAME_POINTER = 2,
};

/* The stack of a SIGNAL in words.  Payload: a line each frame, innermost first. */
struct ev_stack {
	struct ev_hdr hdr; /* of the SIGNAL, but for kind and size */
	__u32 method;      /* enum ev_stack_method */
	__u32 len;
};

enum ev_probe_kind {
	EV_PROBE_CALL = 1,  /* a function, from entry to return */
	EV_PROBE_PLACE = 2, /* an instruction in one */
	EV_PROBE_USDT = 3,  /* a probe that the program has built in (systemtap's sdt.h) */
	EV_PROBE_PAIR = 4,  /* two of them: where something begins, and where it ends */
};

/*
 * Something that the user named was found in a file, and has probes from now on: what FUNCTION calls id.
 * Payload: the file's path; "function", "function+0x10" or "provider:name"; the format of
 * user/event/function.h.
 */
struct ev_probe {
	struct ev_hdr hdr;
	__u32 id;     /* from 1 */
	__u32 kind;   /* enum ev_probe_kind */
	__u32 len[3]; /* of the texts; they have no NUL */
	__u32 pad;
};

enum ev_code {
	EV_CODE_NONE = 0,      /* no code is there: frame pointers led astray */
	EV_CODE_FILE = 1,      /* of a file's */
	EV_CODE_GENERATED = 2, /* made at run time, named by what made it or by nobody */
	EV_CODE_KERNEL = 3,
};

/* A name of a place, in FRAMES. */
struct ev_name {
	struct ev_place place;
	__u32 code;     /* enum ev_code */
	__u16 len;      /* of the function's name; 0: not known */
	__u16 file_len; /* of the file's, of the kernel's module's; 0: none */
};

/*
 * What the addresses of SAMPLEs that follow are.  hdr names a process, and exec_ts the program in it of
 * which addresses are told; hdr.tgid 0: addresses in the kernel, and offsets in files, for all.  An address
 * of a caller is one less than where that goes on.  Payload: cnt struct ev_name, then their texts, name
 * and file by turns.
 */
struct ev_frames {
	struct ev_hdr hdr;
	__u64 exec_ts;
	__u32 cnt;
	__u32 fresh; /* 1: what was told before of this program, or of all, is not true any more */
};

/* What the kernel side made and what it had to drop, so far. */
struct ev_stats {
	struct ev_hdr hdr;
	__u64 produced;         /* records that were asked for */
	__u64 lost_ring;        /* records: no room in the ring */
	__u64 lost_ring_bytes;  /* payload bytes in them */
	__u64 lost_map;         /* calls: a table in the kernel was full */
	__u64 lost_fault_bytes; /* payload the kernel could not read */
	__u64 lost_cap_bytes;   /* payload cut because one call moved more than the cap */
	__u64 data_bytes;       /* payload delivered */
};

/*
 * The clocks at one moment, that of hdr.ts: when recording began, and again whenever CLOCK_REALTIME was set
 * or the machine had been suspended.  clock_gettime(2): CLOCK_MONOTONIC stands still while it is,
 * CLOCK_BOOTTIME does not.
 */
struct ev_clock {
	struct ev_hdr hdr;
	__u64 realtime_ns, boottime_ns;
};

/*
 * Why something is missing.	name, id
 * What the ring had no room for was asked for and not given; of the others only RATE is of records, too.
 */
#define EV_CAUSES(X)                                                                    \
	X(RING_FULL, 0)  /* no room in the ring */                                      \
	X(MAP_FULL, 1)   /* a table in the kernel was full: the call is not followed */ \
	X(READ_FAULT, 2) /* memory of the process that could not be read */             \
	X(CAP, 3)        /* one call moved more than is kept of it */                   \
	X(RATE, 4)       /* over what is told of a process in a second */               \
	X(NO_BUFFER, 5)  /* moved by the kernel itself: sendfile, splice, kernel TLS */ \
	X(UNDECIDED, 6)  /* not shown while the process was not known to be an agent */

enum ev_cause {
#define X(name, id) EV_LOST_##name = id,
	EV_CAUSES(X)
#undef X
		EV_LOST_CAUSES = 8
};

/* Records of one kind, so far.  What is in none of the last three waits in the ring. */
struct ev_kind_counts {
	__u32 kind;
	__u32 pad;
	__u64 produced;  /* asked for */
	__u64 delivered; /* taken out of the ring */
	__u64 lost_ring, lost_rate;
};

/*
 * What was produced, delivered and lost since recording began, beside STATS: produced is counted where
 * something happens, delivered by who takes it out of the ring.  bytes are of content: what calls moved
 * through connections whose content is wanted.  Payload: kinds struct ev_kind_counts.
 */
struct ev_loss {
	struct ev_hdr hdr;
	__u64 bytes, bytes_delivered;
	__u64 bytes_sent;                 /* into the ring: they are delivered, or wait in it */
	__u64 bytes_lost[EV_LOST_CAUSES]; /* by enum ev_cause; the last is spare */
	__u64 calls_lost;                 /* with MAP_FULL: calls that are not followed */
	__u64 ring_bytes, ring_used;      /* its size, and what waits in it */
	__u64 ring_peak;                  /* the most that was found waiting */
	__u32 kinds;
	__u32 pad;
};

/* Time passes (TICK), or the stream ends in good order (END). */
struct ev_tick {
	struct ev_hdr hdr;
};

/* Compiled by clang -target bpf and by cc: both must agree on the layout. */
_Static_assert(sizeof(struct ev_hdr) == 40, "ev_hdr layout");
_Static_assert(sizeof(struct ev_data) == 80, "ev_data layout");
_Static_assert(sizeof(struct ev_addr) == 40, "ev_addr layout");
_Static_assert(sizeof(struct ev_open) == 152, "ev_open layout");
#define X(name, id, type) _Static_assert(sizeof(struct type) % 8 == 0, #type " needs padding");
EV_KINDS(X)
#undef X

#endif
