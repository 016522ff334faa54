// SPDX-License-Identifier: BSD-2-Clause
/*
 * A process of which all that it does bears its number: it reads and writes a file of that name, asks a
 * model of that name at that address, and ends with a code that follows from it.
 *
 *     again NUMBER CHILD PARENT PORT FOLDER
 *
 * CHILD, if not 0, is the number of a child that it leaves behind: that waits until its parent has ended,
 * and a little longer, so that the parent's process id may be another one's, and only then becomes this
 * program again.  PARENT is there to be read in the arguments.  By its number one also does things in
 * threads, and becomes this program again from one that is not the first (PARENT is then negative).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CODES 251
#define THREADS 3
#define LATER_US 3000 /* after its parent's end */

static const char *port, *folder;
static unsigned int number;
static char **arguments;

static void touch_file(unsigned int part)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%u.%u", folder, number, part);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, path, strlen(path)) < 0)
		_exit(253);
	close(fd);
}

/* The whole of 127.0.0.0/8 is this host. */
static void ask(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	char text[512], body[128];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), len;

	to.sin_addr.s_addr = htonl(127u << 24 | 1 << 22 | number);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		_exit(252);
	len = snprintf(
		body, sizeof(body),
		"{\"model\":\"again-%u\",\"messages\":[{\"role\":\"user\",\"content\":\"%u?\"}]}",
		number, number);
	len = snprintf(text, sizeof(text),
		       "POST /v1/chat/completions HTTP/1.1\r\nHost: again\r\n"
		       "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		       len, body);
	if (write(fd, text, len) != len)
		_exit(252);
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void *in_thread(void *part)
{
	touch_file((unsigned int)(size_t)part);
	return NULL;
}

static void *become(void *unused)
{
	char same[32];

	(void)unused;
	snprintf(same, sizeof(same), "-%s", arguments[3]);
	arguments[3] = same;
	execv("/proc/self/exe", arguments);
	_exit(251);
}

static void run_threads(void)
{
	pthread_t of[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&of[i], NULL, in_thread, (void *)(i + 1)))
			_exit(250);
	/* those of every second one end with their process */
	for (size_t i = 0; i < THREADS && number % 2; i++)
		pthread_join(of[i], NULL);
}

static void leave_child(char *child)
{
	pid_t parent = getpid();
	char *const args[] = { arguments[0], child,        (char *)"0", arguments[1],
			       arguments[4], arguments[5], NULL };

	if (fork())
		return;
	while (getppid() == parent)
		usleep(500);
	usleep(LATER_US);
	execv("/proc/self/exe", args);
	_exit(249);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 6)
		return 254;
	arguments = argv;
	number = (unsigned int)atoi(argv[1]);
	port = argv[4];
	folder = argv[5];
	if (number % 7 == 3 && argv[3][0] != '-' && !pthread_create(&thread, NULL, become, NULL))
		pthread_join(thread, NULL);
	touch_file(0);
	if (strcmp(argv[2], "0") != 0)
		leave_child(argv[2]);
	if (number % 3 == 0)
		run_threads();
	if (number % 2 == 0)
		ask();
	return number % CODES % 248;
}
