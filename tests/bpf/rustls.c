/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rustls, played by functions of the same ABI that are found in this program as they are in others.
 * The victim does by scripts what a program does: it encrypts and sends, receives and decrypts, on
 * some connections and threads.  What is seen is put together as ever, and must be whole.
 */
#include "trace.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include "base/buf.h"
#include "conn/conn.h"

#if defined(__x86_64__)

/* --- the library: what the locator asks for is in the code, the rest in C */

struct slice {
	const void *p;
	size_t n;
};

struct outbound {
	const struct slice *slices; /* NULL: one, else bytes from..to of cnt */
	union {
		struct slice one;
		struct {
			size_t cnt, from, to;
		} many;
	};
	uint8_t type;
};

struct incoming {
	struct slice payload;
	uint8_t type;
};

struct result {
	uint8_t tag;
	struct slice payload;
	uint8_t type;
};

enum { HANDSHAKE = 2, APPLICATION = 3 };

void fake_encrypt(void *result, void *self, const struct outbound *m, uint64_t seq);
struct result *fake_decrypt(struct result *r, void *self, const struct incoming *m, uint64_t seq);
void fake_payload_len(void);

__asm__(".text\n"
	".type fake_encrypt, @function\n"
	"fake_encrypt:\n"
	"	push %rbp\n"
	"	mov 0x10(%rdx), %rax\n"
	"	mov 0x18(%rdx), %rcx\n"
	"	sub %rax, %rcx\n"
	"	cmpq $0, (%rdx)\n"
	"	pop %rbp\n"
	"	ret\n"
	".type fake_payload_len, @function\n"
	"fake_payload_len:\n"
	"	lea 0x11(%rsi), %rax\n"
	"	ret\n"
	".type fake_decrypt, @function\n"
	"fake_decrypt:\n"
	"	push %rbp\n"
	"	mov 8(%rdx), %rax\n"
	"	cmp $0x10, %rax\n"
	"	jb 1f\n"
	"	sub $0x10, %rax\n"
	"	mov %rax, 0x10(%rdi)\n"
	"	mov (%rdx), %rax\n"
	"	mov %rax, 8(%rdi)\n"
	"	mov 0x10(%rdx), %al\n"
	"	mov %al, 0x18(%rdi)\n"
	"	movb $0x16, (%rdi)\n"
	"	jmp 2f\n"
	"1:	movb $6, (%rdi)\n"
	"2:	mov %rdi, %rax\n"
	"	pop %rbp\n"
	"	ret\n");

/* drop, size, align, methods */
const void *const fake_vtables[] = {
	NULL, (void *)40, (void *)8, fake_encrypt, fake_payload_len,
	NULL, (void *)40, (void *)8, fake_decrypt,
};

const char fake_location[] =
	"/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/rustls-0.23.40/src/crypto/cipher.rs";

/* --- the victim */

#define TAG 16
#define CONNS 3

static int fds[CONNS][2];           /* this side, and the peer */
static char objects[2 * CONNS][40]; /* encrypters and decrypters */

static void open_conn(int i)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[i][0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sa, len) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    connect(fds[i][0], (struct sockaddr *)&sa, len))
		_exit(10);
	fds[i][1] = accept(fd, NULL, NULL);
	close(fd);
}

static void close_conn(int i)
{
	close(fds[i][0]);
	close(fds[i][1]);
}

/* The text goes as one, or with a '+' as slices, of which the first and last are cut. */
static void encrypt(int object, const char *text, int type)
{
	struct outbound m = { .type = type, .one = { text, strlen(text) } };
	const char *plus = strchr(text, '+');
	struct result r;

	if (plus) {
		struct slice s[] = { { "skipped", 7 },
				     { text, (size_t)(plus - text) },
				     { "", 0 },
				     { plus + 1, strlen(plus + 1) } };

		m.slices = s;
		m.many.cnt = ARRAY_SIZE(s);
		m.many.from = 7 + 1;
		m.many.to = 7 + strlen(text) - 1 - 1;
		fake_encrypt(&r, objects[object], &m, 1);
		return;
	}
	fake_encrypt(&r, objects[object], &m, 1);
}

static void decrypt(int object, const char *text)
{
	char wire[256];
	struct incoming m = { { wire, strlen(text) + TAG }, APPLICATION };
	struct result r = { 0 };

	memset(wire, '*', sizeof(wire));
	memcpy(wire, text, strlen(text));
	if (fake_decrypt(&r, objects[object], &m, 1) != &r || r.payload.n != strlen(text))
		_exit(11);
	m.payload.n = TAG - 1; /* one that fails */
	fake_decrypt(&r, objects[object], &m, 2);
}

static void send_on(int i)
{
	if (send(fds[i][0], "x", 1, 0) != 1)
		_exit(12);
}

static void receive_on(int i)
{
	static const char bytes[] = "y";
	char byte;

	/* not through send(), which would look like the victim's own */
	if (write(fds[i][1], bytes, 1) != 1 || recv(fds[i][0], &byte, 1, 0) != 1)
		_exit(13);
}

static void step(char *s);

static void *steps_elsewhere(void *steps)
{
	char *save = NULL;

	for (char *s = strtok_r(steps, ",", &save); s; s = strtok_r(NULL, ",", &save))
		step(s);
	return NULL;
}

/*
 * A step: what, on which connection, with which object, and text, as in "e0 hello" or "d1 hello".
 * Encrypters have the number of their connection, unless another digit follows: "e05 hello".
 */
static void step(char *s)
{
	int conn = s[1] - '0';
	const char *text = strchr(s, ' ');
	int other = s[1] && s[2] >= '0' && s[2] <= '9' ? s[2] - '0' : -1;
	pthread_t t;

	text = text ? text + 1 : "";
	switch (*s) {
	case 'o':
		open_conn(conn);
		break;
	case 'c':
		close_conn(conn);
		break;
	case 'e':
		encrypt(other >= 0 ? other : conn, text, APPLICATION);
		break;
	case 'k': /* KeyUpdate */
		encrypt(other >= 0 ? other : conn, text, HANDSHAKE);
		break;
	case 'd':
		decrypt(other >= 0 ? other : CONNS + conn, text);
		break;
	case 's':
		send_on(conn);
		break;
	case 'r':
		receive_on(conn);
		break;
	case '@': /* on another thread, with commas in between */
		pthread_create(&t, NULL, steps_elsewhere, s + 1);
		pthread_join(t, NULL);
		break;
	default:
		_exit(14);
	}
}

static int run_victim(char *script)
{
	char *save = NULL;

	alarm(15);
	for (char *s = strtok_r(script, ";", &save); s; s = strtok_r(NULL, ";", &save))
		step(s);
	return 0;
}

/* --- the test */

struct seen {
	struct buf text[2];
	uint64_t id, file;
};

struct all {
	struct seen of[2 * CONNS];
	size_t cnt;
};

static void on_open(void *ctx, struct conn *c)
{
	struct all *a = ctx;

	assert_true(a->cnt < ARRAY_SIZE(a->of));
	c->user = &a->of[a->cnt++];
}

static void on_data(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct seen *s = c->user;

	(void)ctx;
	(void)ts;
	s->file = c->file;
	assert_int_equal(c->src, EV_SRC_RUSTLS);
	buf_add(&s->text[dir], bytes.p, bytes.n);
}

static void on_gap(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	(void)ctx;
	(void)c;
	(void)dir;
	(void)ts;
	fail_msg("%d bytes are missing", (int)missing);
}

static void on_close(void *ctx, struct conn *c, uint64_t ts)
{
	(void)ctx;
	(void)c;
	(void)ts;
}

/* "written|read;" of each connection, in the order of their first records */
static void expect(void **state, const char *script, const char *wanted)
{
	static const struct conn_ops ops = { on_open, on_data, on_gap, on_close };
	struct conn_table *table = NULL;
	struct trace *t = *state;
	struct all a = { .cnt = 0 };
	struct buf got = { 0 };

	trace_clear(t);
	trace_victim(t, "rustls", script);
	assert_int_equal(t->status, 0);
	assert_int_equal(conn_table_new(&table, &ops, &a), 0);
	for (size_t i = 0; i < t->cnt; i++)
		assert_int_equal(conn_feed(table, t->recs[i]), 0);
	conn_close_all(table, now_ns());
	conn_table_free(&table);
	for (size_t i = 0; i < a.cnt; i++) {
		buf_fmt(&got, "%s|%s;", buf_cstr(&a.of[i].text[EV_WRITE]),
			buf_cstr(&a.of[i].text[EV_READ]));
		assert_true(a.of[i].file); /* the socket is known */
		buf_fini(&a.of[i].text[0]);
		buf_fini(&a.of[i].text[1]);
	}
	assert_string_equal(buf_cstr(&got), wanted);
	buf_fini(&got);
}

static void a_client(void **state)
{
	expect(state, "o0;e0 GET ;e0 /a;s0;r0;d0 200;d0  OK;e0 more;s0;r0;d0 .",
	       "GET /amore|200 OK.;");
}

static void a_server(void **state)
{
	expect(state, "o0;r0;d0 GET;e0 200;e0  OK;s0;r0;d0 more;e0 .;s0", "200 OK.|GETmore;");
}

/* Of the slices, the first byte and the last are not part of the message. */
static void slices(void **state)
{
	expect(state, "o0;e0 0head+body0;s0;e0 0a+b0;s0", "headbodyab|;");
}

static void keys_change(void **state)
{
	expect(state, "o0;e0 a;s0;r0;d0 A;k0 x;s0;e05 b;e05 c;s0;e05 d;s0;r0;d04 B;r0;d04 C",
	       "abcd|ABC;");
}

/* The same addresses serve the next connection. */
static void objects_are_reused(void **state)
{
	expect(state, "o0;e0 a;s0;r0;d0 A;c0;o1;e10 b;s1;r1;d13 B;c1;o2;r2;d23 C;e20 c;s2",
	       "a|A;b|B;c|C;");
}

static void connections_interleave(void **state)
{
	expect(state,
	       "o0;o1;e0 a;s0;e1 b;s1;r1;d1 B;r0;d0 A;e1 d;e0 c;s1;s0;o2;e0 e;e2 f;s0;s2;r2;d2 "
	       "F;r0;d0 G",
	       "ace|AG;bd|B;f|F;");
}

/* Each poll on another thread; an encrypter may have been seen on one that never sends. */
static void threads_change(void **state)
{
	expect(state, "o0;e0 a;s0;@r0,d0 A,e0 b,s0;@r0,d0 B;e0 c;s0;r0;d0 C", "abc|ABC;");
	expect(state, "o0;e0 x;@s0;@s0;e0 y;s0;r0;d0 Y", "xy|Y;");
	expect(state, "o0;@r0,d0 X;@e0 a,s0;e0 b;s0;r0;d0 Y", "ab|XY;");
}

static int setup_perf(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_perf_uprobes = true });
}

static int setup_syscalls(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_syscall_tie = true });
}

static int setup_bounded(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_bounded_loops = true });
}

static void the_functions_are_found(void **state)
{
	struct trace *t = *state;

	assert_int_equal(probe_hook_file(t->p, "/proc/self/exe"), 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_functions_are_found),
	cmocka_unit_test(a_client),
	cmocka_unit_test(a_server),
	cmocka_unit_test(slices),
	cmocka_unit_test(keys_change),
	cmocka_unit_test(objects_are_reused),
	cmocka_unit_test(connections_interleave),
	cmocka_unit_test(threads_change),
};

int main(int argc, char **argv)
{
	int failed;

	if (argc > 2)
		return run_victim(argv[2]);
	if (trace_skip())
		return SKIP;
	failed = cmocka_run_group_tests_name("best", tests, trace_setup, trace_teardown);
	failed += cmocka_run_group_tests_name("perf", tests, setup_perf, trace_teardown);
	failed += cmocka_run_group_tests_name("syscalls", tests, setup_syscalls, trace_teardown);
	failed += cmocka_run_group_tests_name("bounded", tests, setup_bounded, trace_teardown);
	return failed;
}

#else

int main(void)
{
	puts("skipped: rustls is found in x86-64 code only");
	return SKIP;
}

#endif
