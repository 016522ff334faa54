# SPDX-License-Identifier: BSD-2-Clause
"""What processes have of the kernel, and what is left of it when they are gone."""
import ctypes
import errno
import glob
import json
import os
import re
import shutil
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
NEXT_ID = {"prog": 11, "map": 12, "link": 31}  # enum bpf_cmd
KINDS = {"prog_id": "prog", "map_id": "map", "link_id": "link"}
GONE = 30  # seconds that the kernel may take to free what a killed process had
TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(child) for child in f.read().split()]
    except OSError:
        return []


def held_alone(pid):
    found = set()
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        try:
            with open(path, encoding="ascii", errors="replace") as f:
                text = f.read()
        except OSError:
            continue  # it has just ended, or closed that one
        found.update((KINDS[key], int(value)) for key, value in
                     re.findall(r"^(prog_id|map_id|link_id):\s*(\d+)", text, re.M))
    return found


def held(pid):
    """BPF programs, maps and links of a process and of those that it started: (kind, id)."""
    return held_alone(pid).union(*(held(child) for child in children(pid)))


def ids(kind):
    """
    All of that kind, asked for by bpf(2) and not of bpftool, which opens each: a table of programs that is
    opened and closed by another while its owner ends is never freed by the kernel (6.18), because it then
    takes itself twice to be emptied and gives itself back once (prog_array_map_clear()).
    """
    attr = (ctypes.c_uint32 * 4)()
    found = set()
    while LIBC.syscall(SYS_BPF, NEXT_ID[kind], attr, ctypes.sizeof(attr)) == 0:
        found.add(attr[1])
        attr[0] = attr[1]
    if ctypes.get_errno() != errno.ENOENT:
        raise OSError(ctypes.get_errno(), f"the next {kind}")
    return found


def in_time(holds):
    """Does it hold now, or when the kernel had the time for it?"""
    until = time.monotonic() + GONE
    while not (held_now := holds()) and time.monotonic() < until:
        time.sleep(0.1)
    return held_now


def still_there(things):
    """Those of held() that there are still when the kernel had the time to free them."""
    left = []

    def none():
        there = {kind: ids(kind) for kind in {kind for kind, _ in things}}
        left[:] = sorted(thing for thing in things if thing[1] in there[thing[0]])
        return not left

    in_time(none)
    return left


def programs():
    """id -> name, of those that there are.  A list that another one's end broke off is asked for again."""
    for _ in range(20):
        done = subprocess.run(["bpftool", "-j", "prog", "list"], capture_output=True, check=False)
        try:
            return {entry["id"]: entry.get("name") for entry in json.loads(done.stdout or b"[]")}
        except (ValueError, TypeError, KeyError):
            time.sleep(0.1)
    raise RuntimeError(f"bpftool prog list says {done.stdout[-200:]!r} {done.stderr!r}")


def without_owner(names):
    """Programs of those names that no process has; more than one look, because others come and go."""
    until = time.monotonic() + GONE
    suspects = None
    while True:
        named = {(number, name) for number, name in programs().items() if name in names}
        owned = set().union(*(held_alone(pid) for pid in os.listdir("/proc") if pid.isdigit()))
        left = {(number, name) for number, name in named if ("prog", number) not in owned}
        left = suspects = left if suspects is None else left & suspects
        if not left or time.monotonic() > until:
            return sorted(left)
        time.sleep(0.2)


def own_libraries(folder):
    """
    The environment for programs that are to have copies of the TLS libraries that this process has: what
    else on this machine is probed is not these.
    """
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for path in {line.split()[-1] for line in maps if re.search(r"/lib(ssl|crypto)\.so", line)}:
            shutil.copy(path, folder)
    return dict(os.environ, LD_LIBRARY_PATH=folder)


def changed_code_now(pid, folder):
    """Mappings in a process of the folder's files that can be executed and differ from the file."""
    changed = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, mode, offset, _, inode, *path = line.split(maxsplit=5)
            if "x" not in mode or inode == "0" or not path[0].startswith(folder):
                continue
            begin, end = (int(at, 16) for at in span.split("-"))
            with open(path[0].strip(), "rb") as file:
                file.seek(int(offset, 16))
                want = file.read(end - begin)
            memory.seek(begin)
            if memory.read(len(want)) != want:
                changed.append(os.path.basename(path[0].strip()))
    return changed


def changed_code(pid, folder):
    """... also when the kernel had the time to take the probes away."""
    changed = []

    def none():
        changed[:] = changed_code_now(pid, folder)
        return not changed

    in_time(none)
    return changed


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def mappings(pid):
    """How many; the page that the kernel adds to a process at its first probe ([uprobes]) is not counted."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return sum("[uprobes]" not in line for line in maps)


def status_kb(pid, field):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
            found = re.search(rf"^{field}:\s*(\d+) kB", f.read(), re.M)
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def tracefs_probes():
    """Probes that are kept by name, and outlive who made them: ringspan makes none."""
    for folder in TRACEFS:
        for name in ("uprobe_events", "kprobe_events"):
            try:
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    yield from f.read().splitlines()
            except OSError:
                pass


def unreclaimable_kb():
    """Of the kernel's own memory on the whole machine; others change it, too."""
    with open("/proc/meminfo", encoding="ascii") as f:
        text = f.read()
    return sum(int(n) for n in re.findall(r"^(?:SUnreclaim|Percpu):\s*(\d+) kB", text, re.M))
