# SPDX-License-Identifier: BSD-2-Clause
"""Tools that an agent does itself, in its own process, and ways in which it starts commands."""

import os
import pty
import shlex
import subprocess
import urllib.request


def edit_file(path):
    """As editors replace a file: written beside it, then renamed."""
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        file.write("edited\n")
    os.replace(path + ".tmp", path)
    return "edited"


def rename_file(path):
    os.rename(path, path + ".old")
    return "renamed"


def delete_file(path):
    os.unlink(path)
    return "deleted"


def fetch(url):
    request = urllib.request.Request(url, headers={"user-agent": "toolbox"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


TOOLS = {
    "edit_file": ("Change a text file.", "path", edit_file),
    "rename_file": ("Rename a file.", "path", rename_file),
    "delete_file": ("Delete a file.", "path", delete_file),
    "fetch": ("Get a page.", "url", fetch),
}


def run(name, argument):
    """What the tool says, and whether that is an error."""
    try:
        return TOOLS[name][2](argument), False
    except OSError as error:
        return str(error), True


def in_terminal(argv):
    """The command with a terminal of its own: its output and exit code."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    output = b""
    try:
        while more := os.read(ours, 65536):
            output += more
    except OSError:
        pass  # nobody has the other side any more
    os.close(ours)
    return output.decode(errors="replace"), child.wait()


def wrapped(command):
    """The command inside a text that the shell evaluates, with what agents put around it."""
    return f"shopt -u extglob 2>/dev/null || true && eval {shlex.quote(command)} < /dev/null"
