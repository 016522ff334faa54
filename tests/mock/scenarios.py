# SPDX-License-Identifier: BSD-2-Clause
"""What the mock model says.

A scenario is a list of turns; the turn that answers a request is the one whose number is the count
of rounds of tool results behind the last prompt.  A fault strikes the first time a request is seen,
so that its retry succeeds, and the third time, so that a second agent meets it too.
"""

import re
from dataclasses import dataclass

# Looks like a provider's key: a tool's command and its output must be redacted as well.
TOOL_SECRET = "sk-ant-api03-" + "THISMUSTNOTLEAK-by-the-tool-".ljust(93, "0") + "AA"


@dataclass(frozen=True)
class Call:
    kind: str  # a part of the tool's name
    argument: str
    key: str = ""  # what the model calls the argument, where it makes that up


@dataclass(frozen=True)
class Turn:
    text: str = ""
    calls: tuple = ()
    reasoning: str = ""
    status: int = 0  # fault: answer with this HTTP status
    lasting: bool = False  # ... every time
    cut: bool = False  # fault: break off in the middle of the answer
    stream_error: bool = False  # fault: an error event inside a 200 stream
    token_limit: bool = False  # the last tool call's arguments break off
    close: bool = False  # the end of the connection ends the body
    wait: float = 0  # seconds before the answer begins
    pace: float = 0  # seconds between two events


WRITE = Call("shell", "printf 'hello from the tool\\n' > hello.txt && ls -l hello.txt")
READ = Call("read", "hello.txt")
DONE = Turn("MOCK-FINAL-ANSWER: done.")

BIG_TEXT = "".join(
    f"Sentence {i} says that {i * 7919 % 6007} is not {i * i % 997}. " for i in range(9000)
)

SCENARIOS = {
    "text": [Turn("MOCK-FINAL-ANSWER: no tool was needed.")],
    "basic": [
        Turn("I will write the file first.", (WRITE,)),
        Turn("Now I read it.", (READ,)),
        DONE,
    ],
    "parallel": [
        Turn(
            "Two at once.",
            (Call("shell", "sleep 0.3; echo one"), Call("shell", "echo two; exit 3")),
        ),
        DONE,
    ],
    "rate": [Turn("After the limit.", (WRITE,), status=429), DONE],
    "e500": [Turn("After the failure.", (WRITE,), status=500), DONE],
    "over": [Turn("After the overload.", (WRITE,), status=529), DONE],
    "error400": [Turn(status=400, lasting=True)],
    "streamerror": [Turn("This one will fail half way.", (WRITE,), stream_error=True), DONE],
    "cut": [Turn("This one will be cut off half way.", (WRITE,), cut=True), DONE],
    "badargs": [Turn("The arguments are wrong.", (Call("shell", "echo", key="cmd"),)), DONE],
    "badjson": [Turn("The arguments break off.", (WRITE,), token_limit=True), DONE],
    "big": [
        Turn(BIG_TEXT, (Call("shell", "head -c 100000 /dev/zero | tr '\\0' x"),)),
        DONE,
    ],
    "long": [Turn(f"Step {i}.", (Call("shell", f"echo step-{i}"),)) for i in range(19)] + [DONE],
    "slow": [
        *[
            Turn(f"Slow {i}.", (Call("shell", f"echo slow-{i}"),), wait=0.3, pace=0.01)
            for i in range(7)
        ],
        DONE,
    ],
    "think": [
        Turn("Thought through.", (WRITE,), reasoning="First the file, then its content. " * 8),
        DONE,
    ],
    "close": [Turn("Over with the connection.", (WRITE,), close=True), DONE],
    "utf8": [
        Turn(
            'Größe 漢字 🚀 "quoted" back\\slash',
            (Call("shell", "printf 'Größe 漢字 🚀\\n'"),),
        ),
        Turn("MOCK-FINAL-ANSWER: utf8 ✓"),
    ],
    "crash": [
        Turn("With a native library.", (Call("shell", "python3 crash.py deep; exit 1"),)),
        Turn("With a bad pointer.", (Call("shell", "python3 crash.py; exit 1"),)),
        DONE,
    ],
    "mcp": [
        Turn("Two at once.", (Call("lookup", "alpha"), Call("count", "3"))),
        Turn("One that fails.", (Call("fail", "the disk is full"),)),
        DONE,
    ],
    "secret": [Turn("A careless command.", (Call("shell", f"echo {TOOL_SECRET}"),)), DONE],
}


def choose(prompt, rounds):
    """The name of the scenario that the prompt asks for, the number of its turn, and the turn."""
    names = [n for n in re.findall(r"\[\[scenario:(\w+)\]\]", prompt) if n in SCENARIOS]
    name = names[-1] if names else "basic"
    number = min(rounds, len(SCENARIOS[name]) - 1)
    return name, number, SCENARIOS[name][number]
