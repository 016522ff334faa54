/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /proc/PID/net/{tcp,udp}{,6} lists the sockets of a network namespace with their inode numbers, which
 * links in /proc/PID/fd name (proc(5)).  A namespace is read once, and descriptors only where it has
 * such a socket.
 */
#include "probe/ps_net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"

#define HTTPS_PORT 443
#define TCP_ESTABLISHED 1

/* Values in the maps; only their addresses count. */
static char tcp_sock, udp_sock, empty_space, used_space;

void ps_net_fini(struct ps_net *n)
{
	map_fini(&n->spaces);
	map_fini(&n->socks);
}

static struct map_key key_of(uint64_t ino)
{
	return (struct map_key){ ino, 0, 0 };
}

/* "sl local:port remote:port state queues timer retransmits uid timeout inode ..." */
static bool read_sockets(struct ps_net *n, pid_t pid, const char *name, void *kind)
{
	char path[64], line[512];
	_cleanup_fclose_ FILE *f = NULL;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, name);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned int port, state;
		uint64_t ino;

		if (sscanf(line, " %*s %*s %*[0-9A-F]:%x %x %*s %*s %*s %*s %*s %" SCNu64, &port,
			   &state, &ino) != 3 ||
		    port != HTTPS_PORT || !ino)
			continue;
		if (kind == &tcp_sock && state != TCP_ESTABLISHED)
			continue;
		found |= !map_put(&n->socks, key_of(ino), kind);
	}
	return found;
}

static bool has_sockets(struct ps_net *n, pid_t pid)
{
	char path[64];
	struct stat st;
	const void *space;
	bool used;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (stat(path, &st))
		return false;
	space = map_get(&n->spaces, key_of(st.st_ino));
	if (space)
		return space == &used_space;
	used = read_sockets(n, pid, "tcp", &tcp_sock);
	used |= read_sockets(n, pid, "tcp6", &tcp_sock);
	used |= read_sockets(n, pid, "udp", &udp_sock);
	used |= read_sockets(n, pid, "udp6", &udp_sock);
	map_put(&n->spaces, key_of(st.st_ino), used ? &used_space : &empty_space);
	return used;
}

void ps_net_look(struct ps_net *n, pid_t pid, bool *tcp, bool *udp)
{
	char path[64], link[64];
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *d;
	uint64_t ino;

	*tcp = *udp = false;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = has_sockets(n, pid) ? opendir(path) : NULL;
	while (dir && (d = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);
		const void *kind;

		link[len < 0 ? 0 : len] = '\0';
		if (sscanf(link, "socket:[%" SCNu64 "]", &ino) != 1)
			continue;
		kind = map_get(&n->socks, key_of(ino));
		*tcp |= kind == &tcp_sock;
		*udp |= kind == &udp_sock;
	}
}
