// SPDX-License-Identifier: BSD-2-Clause
/* Container and pod by control group path: every container manager's form, and what only looks so. */
#include "proc/cgroup.h"
#include "../fixture.h"

#define ID "4d8a7c1f09e2b35660718293a4b5c6d7e8f90123456789abcdef0123456789ab"
#define ID2 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define UID "4f2c1a7e-93d0-4b1c-8f55-0a1b2c3d4e5f"
#define UID_ "4f2c1a7e_93d0_4b1c_8f55_0a1b2c3d4e5f"
#define UID32 "0123456789abcdef0123456789abcdef"

struct path_case {
	const char *path, *container, *pod;
};

static void check_path(const struct path_case *c)
{
	struct cgroup_names names;

	cgroup_parse(sv(c->path), &names);
	if (!sv_is(names.container, c->container) || strcmp(names.pod, c->pod) != 0)
		fail_msg("%s: container " SV_FMT ", pod %s", c->path, SV_ARG(names.container),
			 names.pod);
}

static void container_managers(void **state)
{
	static const struct path_case cases[] = {
		{ "/docker/" ID, ID, "" },
		{ "/system.slice/docker-" ID ".scope", ID, "" },
		{ "/system.slice/docker-" ID ".scope/init.scope", ID, "" },
		{ "/machine.slice/libpod-" ID ".scope", ID, "" },
		{ "/machine.slice/libpod-" ID ".scope/container", ID, "" },
		{ "/libpod_parent/libpod-" ID, ID, "" },
		{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
		  ".scope/container",
		  ID, "" },
		{ "/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID ".scope", ID, "" },
		{ "/system.slice/nerdctl-" ID ".scope", ID, "" },
		{ "/default/" ID, ID, "" },
		{ "/../../docker-" ID ".scope", ID, "" },
		{ "/docker/" ID " (deleted)", ID, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_path(&cases[i]);
}

static void kubernetes(void **state)
{
	static const struct path_case cases[] = {
		{ "/kubepods/burstable/pod" UID "/" ID, ID, UID },
		{ "/kubepods/besteffort/pod" UID "/" ID, ID, UID },
		{ "/kubepods/pod" UID "/" ID, ID, UID },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
		  ".slice/cri-containerd-" ID ".scope",
		  ID, UID },
		{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
		  ".slice/crio-" ID ".scope",
		  ID, UID },
		{ "/kubepods.slice/kubepods-pod" UID_ ".slice/docker-" ID ".scope", ID, UID },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID32
		  ".slice/crio-" ID ".scope",
		  ID, UID32 },
		{ "/kubepods/burstable/pod" UID32 "/" ID, ID, UID32 },
		{ "/system.slice/containerd.service/kubepods-burstable-pod" UID_
		  ".slice:cri-containerd:" ID,
		  ID, UID },
		{ "/kubepods/burstable/pod" UID, "", UID },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_path(&cases[i]);
}

static void nested(void **state)
{
	static const struct path_case cases[] = {
		/* a container in a container; a pod on a node that is one; one in a pod */
		{ "/docker/" ID2 "/docker/" ID, ID, "" },
		{ "/docker/" ID2 "/kubelet/kubepods/burstable/pod" UID "/" ID, ID, UID },
		{ "/docker/" ID2 "/kubelet/kubepods/burstable/pod" UID, "", UID },
		{ "/docker/" ID2 "/kubelet.slice/kubelet-kubepods.slice/kubepods-pod" UID_
		  ".slice/cri-containerd-" ID ".scope",
		  ID, UID },
		{ "/kubepods/burstable/pod" UID "/" ID2 "/docker/" ID, ID, UID },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_path(&cases[i]);
}

static void not_containers(void **state)
{
	static const struct path_case cases[] = {
		{ "", "", "" },
		{ "/", "", "" },
		{ "/system.slice/ssh.service", "", "" },
		{ "/user.slice/user-0.slice/session-1.scope", "", "" },
		{ "/machine.slice/libpod-conmon-" ID ".scope", "", "" },
		{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID ".scope", "", UID },
		{ "/docker/" UID32, "", "" },
		{ "/docker/" ID "0", "", "" },
		{ "/docker/x" ID, "", "" },
		{ "/docker/4D8A" ID, "", "" },
		{ "/docker/" ID ".mount", "", "" },
		{ "/docker-" ID ".scope.d", "", "" },
		{ "/kubepods/podium", "", "" },
		{ "/kubepods/pod" UID "0", "", "" },
		{ "/kubepods/pod4f2c1a7e+93d0-4b1c-8f55-0a1b2c3d4e5f", "", "" },
		{ "/kubepods-evil-pod" UID_ ".slice", "", "" },
		{ "/xkubepods-pod" UID_ ".slice", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_path(&cases[i]);
}

static void files_of_proc(void **state)
{
	(void)state;
	ASSERT_SV(cgroup_path(SV("0::/system.slice/docker-" ID ".scope\n")),
		  "/system.slice/docker-" ID ".scope");
	/* hybrid: v2 has the daemon's group, v1 the container's */
	ASSERT_SV(cgroup_path(SV("12:pids:/docker/" ID "\n1:name=systemd:/docker/" ID "\n"
				 "0::/system.slice/containerd.service\n")),
		  "/docker/" ID);
	ASSERT_SV(cgroup_path(SV("0::/system.slice/x.service\n3:cpu,cpuacct:/docker/" ID)),
		  "/docker/" ID);
	ASSERT_SV(cgroup_path(SV("9:name=systemd:/\n4:memory:/agents/a\n0::/\n")), "/agents/a");
	ASSERT_SV(cgroup_path(SV("9:name=systemd:/b\n4:memory:/a\n0::/user.slice\n")),
		  "/user.slice");
	ASSERT_SV(cgroup_path(SV("9:name=systemd:/b\n4:memory:/a\n0::/\n")), "/b");
	ASSERT_SV(cgroup_path(SV("0::/\n")), "/");
	ASSERT_SV(cgroup_path(SV("0::/odd:name\n")), "/odd:name");
	ASSERT_SV(cgroup_path(SV("")), "");
	ASSERT_SV(cgroup_path(SV("\n\n:\n::\n0::\nrubbish\n/docker/" ID "\n")), "");
}

/* Cut at every byte, and with every byte replaced: no read outside, and never half an id. */
static void hostile_paths(void **state)
{
	static const char text[] = "4:memory:/x\n0::/kubepods.slice/kubepods-burstable-pod" UID_
				   ".slice/crio-" ID ".scope\n";
	struct cgroup_names names;

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n ? n : 1); /* a read behind it is a sanitizer's find */

		assert_non_null(copy);
		memcpy(copy, text, n);
		cgroup_parse(cgroup_path((struct sv){ copy, n }), &names);
		assert_true(!names.container.n || sv_is(names.container, ID));
		assert_true(!names.pod[0] || strcmp(names.pod, UID) == 0);
		for (size_t i = 0; i < n; i++) {
			copy[i] ^= 0x80;
			cgroup_parse(cgroup_path((struct sv){ copy, n }), &names);
			assert_true(!names.container.n || names.container.n == 64);
			copy[i] ^= 0x80;
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(container_managers),
		cmocka_unit_test(kubernetes),
		cmocka_unit_test(nested),
		cmocka_unit_test(not_containers),
		cmocka_unit_test(files_of_proc),
		cmocka_unit_test(hostile_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
