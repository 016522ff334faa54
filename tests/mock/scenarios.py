# SPDX-License-Identifier: BSD-2-Clause
"""What the mock model says.

A scenario is a list of turns; the turn that answers a request is the one whose number is the count
of rounds of tool results behind the last prompt.  "{#}" is the number that the prompt has behind its
first "#", "{seq}" that of the request.  A fault strikes the first time a request is seen, so that its retry succeeds, and the third
time, so that a second agent meets it too.
"""

import re
from dataclasses import dataclass, replace

# Looks like a provider's key: a tool's command and its output must be redacted as well.
TOOL_SECRET = "sk-ant-api03-" + "THISMUSTNOTLEAK-by-the-tool-".ljust(93, "0") + "AA"


@dataclass(frozen=True)
class Call:
    kind: str  # a part of the tool's name
    argument: str
    key: str = ""  # what the model calls the argument, where it makes that up
    name: str = ""  # ... and the tool
    more: tuple = ()  # other arguments: (key, value)
    id: str = ""  # some models number their calls; else it is unique


@dataclass(frozen=True)
class Turn:
    text: str = ""
    calls: tuple = ()
    reasoning: str = ""
    status: int = 0  # fault: answer with this HTTP status
    lasting: bool = False  # ... every time
    retry_after: int = 1  # seconds, of a 429
    cut: bool = False  # fault: break off in the middle of the answer
    stream_error: bool = False  # fault: an error event inside a 200 stream
    silent: bool = False  # fault: end the connection without an answer
    finish: str = ""  # "refusal" or "filter": no answer like others
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

SUMMARY = (
    "The user asked for notes. What was asked for was noted with the tool, which said that it was done. "
    "Nothing failed, and no file was changed. The user will go on with further notes, and wants each "
    "of them to be kept in the same way, in the order in which they come."
)

CONVERSATION = [
    Turn("I look up #{#}.", (Call("look", "key #{#}", id="functions.look:0"),)),
    Turn("MOCK-FINAL-ANSWER: it is value #{#}."),
]

# A turn as agents have them: some sixty words, and a command of a few processes.
WORK = Turn(" ".join(f"word-{i}" for i in range(60)),
            (Call("shell", "ls -l / | grep -c usr; cat /etc/passwd | sort | tail -n 3"),))

# What many agents do at once, for a long time: all that it leaves bears the number of its agent.
NUMBERED_DONE = Turn("MOCK-FINAL-ANSWER: #{#} is done.")
NUMBERED_CALL = Call("shell", "sleep 0.1; echo done-{#}")
SOAK = {
    "soak_text": [Turn("This is what is known of #{#}.", wait=0.5)],
    "soak_tools": [
        Turn(
            "Three at once for #{#}.",
            (
                Call("shell", "sleep 0.3; echo left-{#}"),
                Call("shell", "sleep 0.1; echo right-{#}; exit 3"),
                Call("read", "note-{#}"),
            ),
            wait=0.2,
        ),
        Turn("One more.", (Call("shell", "sleep 0.1; cat note-{#}; echo last-{#}"),)),
        NUMBERED_DONE,
    ],
    "soak_429": [Turn("After the limit.", (NUMBERED_CALL,), status=429), NUMBERED_DONE],
    "soak_500": [Turn("After the failure.", (NUMBERED_CALL,), status=500), NUMBERED_DONE],
    "soak_529": [Turn("After the overload.", (NUMBERED_CALL,), status=529), NUMBERED_DONE],
    "soak_down": [Turn("Before.", (NUMBERED_CALL,)), Turn(status=503, lasting=True)],
    "soak_cut": [Turn("Cut off half way to #{#}.", (NUMBERED_CALL,), cut=True), NUMBERED_DONE],
    "soak_error": [Turn("Fails half way to #{#}.", (NUMBERED_CALL,), stream_error=True), NUMBERED_DONE],
    "soak_silent": [Turn("After the silence.", (NUMBERED_CALL,), silent=True), NUMBERED_DONE],
    "soak_mcp": [
        Turn("Two at once.", (Call("lookup", "key-{#}"), Call("count", "3"))),
        Turn("One that fails.", (Call("fail", "no {#} here"),)),
        NUMBERED_DONE,
    ],
    "soak_ask": [
        Turn("With your leave.", (Call("shell", "sleep 0.1; echo asked-{#}"),)),
        Turn("And this.", (Call("shell", "echo refused-{#}"),)),
        NUMBERED_DONE,
    ],
    "soak_crash": [
        Turn("Better not.", (Call("shell", "kill -SEGV $PPID; sleep 0.2; : late-{#}"),)),
    ],
    "soak_long": [
        Turn(" ".join(f"word-{i}" for i in range(60)), (NUMBERED_CALL,), pace=0.04),
        Turn(" ".join(f"more-{i}" for i in range(40)) + " MOCK-FINAL-ANSWER: #{#}", pace=0.04),
    ],
    "soak_lead": [
        Turn(
            "Two agents look into it.",
            (
                Call("task", "Look into the north of #{#}. [[scenario:soak_north]]"),
                Call("task", "Look into the south of #{#}. [[scenario:soak_south]]"),
            ),
        ),
        NUMBERED_DONE,
    ],
    **{
        f"soak_{where}": [
            Turn("Here, perhaps.", (Call("shell", f"sleep 0.2; echo {where}-{{#}}"),), wait=0.3),
            Turn(f"It is in the {where} of #{{#}}."),
        ]
        for where in ("north", "south", "far")
    },
    "soak_program": [
        Turn("Another program does it.",
             (Call("shell", '$SUB_AGENT "Look for #{#}, too. [[scenario:soak_far]]"'),)),
        NUMBERED_DONE,
    ],
}

SCENARIOS = {
    **SOAK,
    "working": [WORK] * 19 + [DONE],
    "working_slowly": [replace(WORK, wait=1.1, pace=0.03)] * 4 + [DONE],
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
    "burn": [
        Turn("Two at once.", (Call("shell", "./burn left"), Call("shell", "./burn right"))),
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
    "nested": [
        Turn(
            "One is a part of the other.",
            (
                Call("shell", "echo same; sleep 0.2; echo other"),
                Call("shell", "echo same; sleep 0.2"),
                Call("shell", "echo same"),
            ),
        ),
        DONE,
    ],
    "deep": [
        Turn(
            "One without a process, and one with many.",
            (READ, Call("shell", "sh -c 'sh -c \"cat /dev/null; true\"; true'; true")),
        ),
        DONE,
    ],
    "down": [Turn(status=500, lasting=True)],
    "silent": [Turn("After the silence.", (READ,), silent=True), DONE],
    "unknown": [Turn("A tool that is not there.", (Call("", "now", name="launch"),)), DONE],
    "refused": [Turn("I will not help with that.", finish="refusal")],
    "filtered": [Turn("This much and", finish="filter")],
    "lead": [
        Turn(
            "Two agents look into it.",
            (
                Call("task", "Look into the north, thoroughly. [[scenario:north]]",
                     more=(("subagent_type", "scout"),)),
                Call("task", "Not as in: Look into the north, thoroughly. [[scenario:north]] "
                     "But into the south. [[scenario:south]]", more=(("subagent_type", "scout"),)),
            ),
        ),
        DONE,
    ],
    "north": [Turn("North first.", (Call("look", "north"),)), Turn("The north is cold.")],
    "south": [Turn("South first.", (Call("look", "south"),)), Turn("The south is warm.")],
    "delegate": [
        Turn("Another program does it.",
             (Call("shell", '$SUB_AGENT "Count the files, one by one. [[scenario:count]]"'),)),
        DONE,
    ],
    "count": [Turn("I count.", (Call("shell", "ls | wc -l"),)), Turn("MOCK-FINAL-ANSWER: none.")],
    "triage": [
        Turn("Billing can help.", (Call("transfer", "a refund"),)),
        Turn("I see what was paid.", (Call("refund", "order 17"),)),
        Turn("The rest is not mine.", (Call("transfer", "all else"),)),
        Turn("MOCK-FINAL-ANSWER: refunded."),
    ],
    "note": [Turn("I note it.", (Call("note", "what was asked for"),)), DONE],
    "summary": [Turn(SUMMARY)],
    "title": [Turn("Notes on what was asked for")],
    "conversation": CONVERSATION,
    "busy": [replace(CONVERSATION[0], status=429), CONVERSATION[1]],
    "guest": [Turn("You are guest #{seq}.")],
    # what tools do on a machine
    "elicit": [Turn("With your leave.", (Call("remove", "scratch.txt"),)), DONE],
    "daemon": [
        Turn(
            "It goes on behind me.",
            (Call("shell", "mkfifo up go end; setsid sh -c 'exec 3<>end; echo up >up; read x <go; "
                           "echo on >late' >out 2>&1 &"),),
        ),
        Turn("Is it up?", (Call("shell", "cat up"),)),
        Turn("On with it.", (Call("shell", "exec 3<end; echo now >go; cat <&3"),)),
        DONE,
    ],
    "orphan": [Turn("Better not.", (Call("shell", "kill -9 $PPID; sleep 0.3; echo late >late"),))],
    "reexec": [
        Turn("By way of others.", (Call("shell", "exec env LEVEL=1 sh -c 'exec printf one'"),)),
        DONE,
    ],
    "twins": [
        Turn(
            "The same twice.",
            (Call("shell", "sleep 0.2; echo it"), Call("shell", "sleep 0.2; echo it")),
        ),
        Turn("Nearly so.", (Call("shell", "sleep 0.2"), Call("shell", "sleep 0.25"))),
        DONE,
    ],
    "files": [
        Turn(
            "With the shell.",
            (Call("shell", "mkdir d notes && echo one >d/a && echo two >b && mv b c"),),
        ),
        Turn("Gone again.", (Call("shell", "rm d/a && rmdir d"),)),
        Turn("Two at once, by myself.", (Call("edit", "./c"), Call("edit", "notes/c"))),
        Turn("Another name.", (Call("rename", "c"),)),
        Turn("And away.", (Call("delete", "c.old"),)),
        DONE,
    ],
    "check": [Turn("Are they green?", (Call("shell", "make -s -f ../checks test"),)), DONE],
    "web": [
        Turn(
            "Two pages.",
            (
                Call("fetch", "http://{web}/one"),
                Call("fetch", "http://{web}/two"),
                Call("shell", "curl -s -A tool http://{web}/three"),
            ),
        ),
        DONE,
    ],
    "fault": [Turn("With a native library.", (Call("shell", "exec 2>/dev/null; ../fault {web}; exit 1"),)), DONE],
    "child": [Turn("Somebody else may.", (Call("shell", "sh ../child.sh"),)), DONE],
    # what an agent may be at for a while
    "ponder": [Turn("After a long thought.", wait=90)],
    "crawl": [Turn("One word after the other. " * 76, pace=0.3)],
    "nap": [Turn("I wait.", (Call("shell", "sleep 90"),)), DONE],
    "crowded": [Turn(status=429, lasting=True, retry_after=90)],
    "loop": [Turn("Once more.", (Call("shell", "true"),)) for _ in range(5)]
    + [Turn("A last time.", (Call("shell", "true"),), wait=90)],
    "timeout": [Turn("That may take long.", (Call("shell", "sleep 30"),)), DONE],
    "secret": [Turn("A careless command.", (Call("shell", f"echo {TOOL_SECRET}"),)), DONE],
}


def filled(argument, prompt):
    """The argument with what the prompt says, as [[NAME=VALUE]], for {NAME}."""
    for name, value in re.findall(r"\[\[(\w+)=(.*?)\]\]", prompt):
        argument = argument.replace("{" + name + "}", value)
    return argument


def choose(prompt, rounds):
    """The name of the scenario that the prompt asks for, the number of its turn, and the turn."""
    names = [n for n in re.findall(r"\[\[scenario:(\w+)\]\]", prompt) if n in SCENARIOS]
    name = names[-1] if names else "basic"
    number = min(rounds, len(SCENARIOS[name]) - 1)
    turn = SCENARIOS[name][number]
    which = re.search(r"#(\d+)", prompt)
    if which:
        calls = [replace(c, argument=c.argument.replace("{#}", which[1])) for c in turn.calls]
        turn = replace(turn, text=turn.text.replace("{#}", which[1]), calls=tuple(calls))
    return name, number, turn
