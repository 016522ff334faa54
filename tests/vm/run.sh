#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Boots Debian's kernels under qemu, without KVM, and runs BPF tests of the build in $OUT in each; from 6.1
# on once more with preempt=full, for the test that looks for one process's bytes under another's name.
# Prints what tests/run.sh prints, and what doctor says of each kernel.
#
#	OUT=build tests/vm/run.sh [KERNEL...]	5.10, or a series: 7 is the newest of 7.*
#	TESTS="load io" ... these; FULL="" ... no second boot; LIMIT=900 ... seconds for a test
#
# Packages are fetched by apt, with lists and a cache of its own in $OUT/vm, so they are checked by
# Debian's signatures and nothing of this machine changes.  A kernel that cannot be had is skipped.

cd "$(dirname "$0")/../.." || exit 1
out=$(realpath "${OUT:-build}")
dir=$out/vm
kernels=("$@")
[ $# -gt 0 ] || kernels=(5.10 6.1 6.12 6.16 6.19 7)
TESTS=${TESTS:-connect disk emit file io ktls load mix tree uprobe}
FULL=${FULL-mix}
# what tests load by name, and what these load in turn
BY_NAME="libssl.so.3 libcrypto.so.3 libgnutls.so.30 libnspr4.so libnss3.so libssl3.so libsoftokn3.so libfreebl3.so
	libfreeblpriv3.so libz.so.1 libgcc_s.so.1"
# what tests want of a kernel that Debian has in modules: a file system, a disk, TLS with AES-GCM
MODULES=(fuse loop tls crypto_null ctr gcm gf128mul ghash-generic)
key=/usr/share/keyrings/debian-archive-keyring.gpg
. tests/say.sh
mkdir -p "$dir/lists/partial" "$dir/archives/partial"
tmp=$(mktemp -d "$dir/tmp.XXXXXX")
# shellcheck disable=SC2329 # a trap calls it
leave() {
	[ ! -s "$tmp/pid" ] || kill "$(cat "$tmp/pid")"
	rm -rf "$tmp"
}
trap leave EXIT
trap 'exit 143' TERM INT

# --- kernels

apt_private() {
	local tool=$1
	shift
	"$tool" -q -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir" -o Dir::Cache::Archives="$dir/archives" \
		-o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

update() {
	local archive=http://deb.debian.org/debian suite
	[ ! -e "$tmp/updated" ] || return 0
	for suite in bullseye bookworm trixie trixie-backports sid; do
		echo "deb [signed-by=$key] $archive $suite main"
	done >"$dir/sources.list"
	for suite in bullseye bookworm trixie; do
		echo "deb [signed-by=$key] $archive-security $suite-security main"
	done >>"$dir/sources.list"
	apt_private apt-get update >"$tmp/apt" 2>&1
	touch "$tmp/updated"
}

# fetch KERNEL: $dir/linux-KERNEL becomes its image, and the modules that tests want; 1 where no package
# has it.  From 6.19 on they are in linux-binary-*, of which linux-image-* is what depends on it.
fetch() {
	local names version package kind modules=("${MODULES[@]/#/*/}")
	[ ! -s "$dir/linux-$1/vmlinuz" ] || return 0
	update
	names=$(apt_private apt-cache pkgnames linux-)
	version=$(sed -nE "s/^linux-image-(${1//./\\.}\.[0-9.]+([+-][a-z0-9.]+)?)-amd64$/\1/p" <<<"$names" |
		sort -V | tail -n 1)
	[ -n "$version" ] || return 1
	kind=image
	! grep -qxF "linux-binary-$version-amd64" <<<"$names" || kind=binary
	package=linux-$kind-$version-amd64
	(cd "$tmp" && apt_private apt-get download "$package") >"$tmp/apt" 2>&1 || return 1
	mkdir -p "$tmp/package" "$dir/linux-$1"
	dpkg-deb --fsys-tarfile "$tmp/$package"_*.deb |
		tar -x -C "$tmp/package" --wildcards './boot/vmlinuz-*' '*/vmlinuz' "${modules[@]/%/.ko*}" 2>/dev/null
	find "$tmp/package" -name '*.xz' -exec xz -d {} +
	find "$tmp/package" -name '*.ko' -exec mv {} "$dir/linux-$1" \;
	find "$tmp/package" -type f -name 'vmlinuz*' -exec mv {} "$dir/linux-$1/vmlinuz" \;
	rm -r "$tmp/$package"_*.deb "$tmp/package"
	[ -s "$dir/linux-$1/vmlinuz" ]
}

# --- the guest's files: the tests as they are built, with the libraries that they are linked with

# add FILE...: with what it needs, under the names that they have here.
add() {
	local file lib
	for file; do
		{ ldd "$file" 2>/dev/null | grep -oE '/[^ ]+'; } >"$tmp/libs"
		while read -r lib; do
			[ -e "$tmp/guest$lib" ] || install -D "$lib" "$tmp/guest$lib"
		done <"$tmp/libs"
	done
}

# pack FOLDER NAME: a folder as an initramfs.
pack() {
	(cd "$1" && find . | cpio -o -H newc 2>/dev/null) | gzip -1 >"$tmp/$2.cpio.gz"
}

# guest NAME TEST...: an initramfs of these tests.
guest() {
	local name=$1 test lib
	shift
	rm -rf "$tmp/guest"
	mkdir -p "$tmp/guest/bin" "$tmp/guest/sbin" "$tmp/guest/t" "$tmp/guest/etc"
	cp tests/vm/init "$tmp/guest/init"
	echo "${LIMIT:-900}" >"$tmp/guest/limit"
	cp "$(command -v busybox)" "$tmp/guest/bin/busybox"
	# a shell that waits in read(2), which busybox's does not; what keeps programs from searching for libraries
	cp /bin/sh "$out/ringspan" "$tmp/guest/bin/"
	cp /sbin/ldconfig "$tmp/guest/sbin/"
	for test; do
		cp "$out/bpf-test/$test" "$tmp/guest/t/" || return 1
	done
	strip --strip-debug "$tmp/guest/bin/ringspan" "$tmp"/guest/t/*
	add "$tmp"/guest/bin/* "$tmp"/guest/t/*
	for lib in $BY_NAME; do
		lib=$(/sbin/ldconfig -p | awk -v l="$lib" '$1 == l { print $NF; exit }')
		[ -z "$lib" ] || { add "$lib" && install -D "$lib" "$tmp/guest$lib"; }
	done
	pack "$tmp/guest" "$name"
}

# boot KERNEL INITRAMFS [PARAMETER]: runs its tests.  Names in what it prints: KERNEL [PARAMETER] TEST.
boot() {
	local name=$1${3:+ $3} log=$dir/$1${3:+-$3}.log line test="" why="" before=0 ended=0
	rm -rf "$tmp/modules"
	mkdir -p "$tmp/modules/modules"
	cp "$dir/linux-$1"/*.ko "$tmp/modules/modules/" 2>/dev/null
	pack "$tmp/modules" modules
	cat "$tmp/$2.cpio.gz" "$tmp/modules.cpio.gz" >"$tmp/initrd"
	# A CPU that runs what another one is writing hangs where each is a thread (qemu 7.2): two threads of a process
	# never got over a tracepoint in do_exit() that was being switched on.
	while IFS= read -r line; do
		case ${line#*@} in
		"test "*) test=${line#*@test } before=$failed ;;
		*"ok "[0-9]*"# SKIP"*) say "skip - $name $test: ${line##*# SKIP }" ;;
		"ok "[0-9]*) say "ok - $name $test: ${line#*ok *- }" ;;
		"not ok "[0-9]*) say "not ok - $name $test: ${line#*not ok *- }" ;;
		"took "*) echo "# $name $test: ${line#*@took } s" ;;
		"exit 0") ;;
		"exit 77") say "skip - $name $test: ${why#*: }" ;;
		"exit "*) [ $failed -gt $before ] ||
			say "not ok - $name $test: exit code ${line#*@exit }" ;;
		end) ended=1 ;;
		"1.."[0-9]* | "TAP version"*) ;;
		*)
			why=${line#*@}
			echo "$why"
			;;
		esac
	done < <(timeout -k 10 7200 qemu-system-x86_64 -accel tcg,thread=single -cpu max -smp 2 -m 2048 \
		-nodefaults -no-user-config -display none -serial stdio -no-reboot -pidfile "$tmp/pid" \
		-kernel "$dir/linux-$1/vmlinuz" -initrd "$tmp/initrd" \
		-append "console=ttyS0 quiet panic=-1 oops=panic softlockup_panic=1 watchdog_thresh=30 ${3:-}" </dev/null 2>&1 |
		sed -u 's/\r//' | tee "$log" | grep -a --line-buffered '@')
	[ $ended -eq 1 ] || say "not ok - $name: it did not come to its end${test:+, in $test}; see $log"
}

for tool in qemu-system-x86_64 busybox cpio xz; do
	if ! command -v $tool >/dev/null; then
		echo "$tool is missing; apt-get install qemu-system-x86 busybox-static cpio xz-utils" >&2
		exit 1
	fi
done
# shellcheck disable=SC2086 # lists of words
guest tests $TESTS || exit 1
# shellcheck disable=SC2086
[ -z "$FULL" ] || guest full $FULL || exit 1
for kernel in "${kernels[@]}"; do
	if ! fetch "$kernel"; then
		say "skip - $kernel: its package cannot be had: $(tail -n 1 "$tmp/apt")"
		continue
	fi
	boot "$kernel" tests
	# it is chosen at the start since 5.12 (826bfeb37bb4)
	[ -z "$FULL" ] || [ "$kernel" = 5.10 ] || boot "$kernel" full preempt=full
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
