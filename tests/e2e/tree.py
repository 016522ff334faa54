#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the whole tree of a run against the one that is expected, and prints how they differ.

    tree.py --schema FILE [--write] [--word NAME=TEXT]... [--fold REGEX] [--measured REGEX]
            [--drop REGEX]
        SPANS EXPECTED

SPANS is what `export --format ndjson --payload` prints.  What is compared is text: a line for each
span, a child below its parent and indented, in the order in which they began, with its kind, name,
OpenTelemetry kind and status; below it, after "|", every attribute, then events (!) and links (>).
Siblings that overlap in time have no order of their own: they are sorted by what they hold.  Lines
that begin with "#" are for the reader; --write keeps them.

What differs from run to run is put in other words, the same one wherever it is the same:

    s1 s2 ...       spans that an attribute or a link names
    t1 t2 ...       traces
    pid1 port1 conn1 id1 session1 call_1 msg_1 req_1 ...   what the kernel, the clients and the mock number
    m1 m2 ...       messages, instructions and tool definitions: each is printed once, at the end
    0x~             an offset into code
    {NAME}          the TEXT of a --word: paths, most of the time
    #1 #2 ...       what matches --fold; siblings that are the same in all that they hold are then told
                    once, with their count, and in words of their own: their port1 is nobody else's
    ~ KEY ...       attributes that are measured (MEASURED): there, with a value that nobody can know;
                    "resources" are the seventeen that the kernel counts for every process
"""

import argparse
import difflib
import json
import re
import sys

from schema import Validator

# Times, and what a machine spent: the value is left out, that the attribute is there is not.
MEASURED = re.compile(r"""
    ringspan\.(cpu|io|context_switches|page_faults|memory|syscalls)\..*   # RESOURCES
  | ringspan\.(time|wait)\..*_ns | ringspan\.retry\.wait_ns | ringspan\.rpc\.handling_ns
  | ringspan\.stream\.(max_gap_ns|chunks_per_second|tokens_per_second)
  | gen_ai\.response\.time_to_first_chunk
  | ringspan\.connection\.(sent|received)_bytes   # of TLS, whose signatures differ in length
  | ringspan\.connection\.rtt(_min)?_ns | ringspan\.tls\.answer_ns
  | ringspan\.file\.(open_for|read|write|sync|sync_max)_ns
""", re.X)

# Left out whole: whether they are there depends on the machine or on the moment.
DROPPED = re.compile(r"""
    ringspan\.time\.network_ns            # only when the answer took longer than the server says
  | ringspan\.wait\.(provider|stream)_ns  # 0, and then absent, when bytes came before they were asked for
  | ringspan\.file\.open_ns               # only of a slow one
  | ringspan\.connection\.retransmits     # a loaded loopback has them
  | ringspan\.connection\.reset           # of who closes with bytes in flight
  | ringspan\.threads                    # those that took a millisecond
  | ringspan\.cost\.prices_date           # of the table, which tests/unit holds
  | ringspan\.(records|content)\..*        # of the whole recording
  | host\..* | os\..*
""", re.X)

# What is charged to spans, of which a short one gets nothing; processes and runs have the RESOURCES.
CHARGED = re.compile(r"""
    ringspan\.(cpu|io|context_switches|page_faults|memory|blocked|syscalls)\..*
  | ringspan\.migrations | ringspan\.shared | ringspan\.wait\.(cpu|lock)_ns
""", re.X)

RESOURCES = {"ringspan." + key for key in (
    "context_switches.involuntary", "context_switches.voluntary", "cpu.run_queue_ns",
    "cpu.system_ns", "cpu.total_ns", "cpu.user_ns", "io.disk_read_bytes", "io.disk_write_bytes",
    "io.read_call_bytes", "io.write_call_bytes", "memory.peak_bytes", "page_faults.major",
    "page_faults.minor", "syscalls.calls", "syscalls.classes", "syscalls.errors",
    "syscalls.time_ns")}
NUMBERED = {"ringspan.connection.id": "conn", "jsonrpc.request.id": "id",
            "mcp.session.id": "session"}
PIDS = {"process.pid", "process.parent_pid", "ringspan.rpc.peer_pid", "thread.id"}
PORTS = {"network.local.port", "network.peer.port", "server.port"}
CONTAIN = {"run", "agent", "turn", "model_call"}  # kinds that last as long as all that is in them
MESSAGES = {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
            "gen_ai.tool.definitions"}
MADE_UP = re.compile(r"\b(toolu_|call_|msg_|chatcmpl-|resp_|req_|rs_|fc_)[0-9a-f]{24}\b")
HEX = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b")
FRAME = re.compile(r"(?<=\+)0x[0-9a-f]+")
ADDRESS = re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+")
WIDTH = 100  # a line of attributes; a value that is longer has a line of its own


class Names:
    """Gives things names in the order in which they are met.  outer: where messages have theirs."""

    def __init__(self, outer=None):
        self.known, self.counts, self.outer = {}, {}, outer

    def name(self, family, value):
        if family == "m" and self.outer:
            return self.outer.name(family, value)
        if (family, value) not in self.known:
            self.counts[family] = self.counts.get(family, 0) + 1
            self.known[family, value] = f"{family}{self.counts[family]}"
        return self.known[family, value]

    def of_family(self, family):
        return [(name, value) for (of, value), name in self.known.items() if of == family]


def namespace(key):
    """gen_ai.usage, ringspan.cost, http: what is said of one thing."""
    parts = key.split(".")
    return ".".join(parts[: min(2, len(parts) - 1) if parts[0] in ("gen_ai", "ringspan") else 1])


def compact(value):
    return json.dumps(value, ensure_ascii=False)


def own(attributes):
    """Those that a span has whatever it took."""
    kind = attributes.get("ringspan.kind")
    counted = RESOURCES if kind in ("process", "run") else set()
    return {key: value for key, value in attributes.items()
            if key != "ringspan.kind" and (key in counted or not CHARGED.fullmatch(key))}


class Tree:
    def __init__(self, spans, words, fold, measured, drop):
        self.words = sorted(words, key=lambda word: -len(word[1]))
        self.fold, self.measured, self.drop = fold, measured, drop
        self.ids = {span["span_id"]: "s" for span in spans}
        self.ids.update({span["trace_id"]: "t" for span in spans})
        self.children = {}
        connects = {span["attributes"].get("network.local.port"): span["start_time_unix_nano"]
                    for span in spans if span["attributes"]["ringspan.kind"] == "connect"}

        def when(span):
            """A handshake is told behind its connect: several of both may be under way at once."""
            port, start = span["attributes"].get("network.local.port"), span["start_time_unix_nano"]
            of_tls = span["attributes"]["ringspan.kind"] == "tls"
            return connects.get(port, start) if of_tls else start, of_tls, span["span_id"]

        for span in sorted(spans, key=when):
            parent = span["parent_span_id"]
            known = parent in self.ids
            self.children.setdefault(parent if known else "", []).append(span)
        self.named = set()  # ids that some value names
        for span in spans:
            told = [span["attributes"], span["events"], span["links"]]
            self.named.update(HEX.findall(compact(told)))
        self.resource = spans[0]["resource"] if spans else {}

    # --- values

    def text(self, names, text):
        """A string without what differs from run to run."""
        for word, literal in self.words:
            text = text.replace(literal, "{" + word + "}")
        if self.fold:
            text = self.fold.sub(lambda found: names.name("#", found.group()), text)
        text = MADE_UP.sub(lambda found: names.name(found.group(1), found.group()), text)
        text = ADDRESS.sub(lambda found: names.name("port", int(found.group())), text)
        text = FRAME.sub("0x~", text)
        return HEX.sub(lambda found: names.name(self.ids[found.group()], found.group())
                       if found.group() in self.ids else found.group(), text)

    def value(self, names, key, value):
        if isinstance(value, str) and key not in NUMBERED:
            return self.text(names, value)
        if isinstance(value, list):
            return [self.value(names, "", item) for item in value]
        if isinstance(value, dict):
            return {name: self.value(names, "", item) for name, item in value.items()}
        if isinstance(value, float):
            return round(value, 12)  # the last digit of a sum depends on the order
        if key in PIDS:
            return names.name("pid", value)
        if key in PORTS:
            return names.name("port", value)
        if key in NUMBERED:
            return names.name(NUMBERED[key], value)
        return value

    def written(self, names, key, value):
        """A value as it stands behind its key."""
        if key in MESSAGES and isinstance(value, list):
            parts = [compact(self.value(names, "", part)) for part in value]
            return " ".join(names.name("m", part) for part in parts) or "none"
        value = self.value(names, key, value)
        named = isinstance(value, str) and (key in PIDS | PORTS or key in NUMBERED)
        return value if named else compact(value)

    def attributes(self, names, attributes):
        """Lines: those of one namespace share one, as far as it is wide enough."""
        lines, before = [], None
        kept = {key for key in attributes
                if not DROPPED.fullmatch(key) and not self.drop.fullmatch(key)}
        measured = {key for key in kept if MEASURED.fullmatch(key) or self.measured.fullmatch(key)}
        for space, key in sorted((namespace(key), key) for key in kept - measured):
            text = f"{key} = {self.written(names, key, attributes[key])}"
            if space == before and len(lines[-1]) + len(text) < WIDTH:
                lines[-1] += ", " + text
            else:
                lines.append(text)
            before = space
        if measured >= RESOURCES:
            measured = measured - RESOURCES | {"resources"}
        if measured:
            told = sorted(key.removeprefix("ringspan.") for key in measured)
            lines.append("~ " + " ".join(told))
        return lines

    # --- spans

    def head(self, names, span):
        status = span["status"]
        words = [span["attributes"].get("ringspan.kind", "?"), self.text(names, span["name"]),
                 span["kind"]]
        if status["code"] != "UNSET" or status["message"]:
            words.append(f"{status['code']} {compact(self.text(names, status['message']))}")
        if span["span_id"] in self.named:
            words.append("= " + names.name("s", span["span_id"]))
        if span["parent_span_id"] and span["parent_span_id"] not in self.ids:
            words.append("WITHOUT ITS PARENT")
        if span["resource"] != self.resource:
            words.append("OF ANOTHER RESOURCE")
        return "  ".join(words)

    def span(self, names, span, depth):
        """The lines of a span and of all below it."""
        indent, again = "   " * depth, "   " * depth + "   "
        lines = [indent + self.head(names, span)]
        lines += [f"{again}| {line}" for line in self.attributes(names, own(span["attributes"]))]
        for event in span["events"]:
            if event["name"] == "reset":  # as the attribute of that name
                continue
            told = self.attributes(names, event["attributes"])
            lines += [f"{again}! {line}" for line in [self.text(names, event["name"]), *told]]
        for link in span["links"]:
            whose = [names.name("t", link["trace_id"]) if link["trace_id"] in self.ids
                     else link["trace_id"], self.text(names, link["span_id"])]
            told = self.attributes(names, link["attributes"])
            lines += [f"{again}> {line}" for line in [" ".join(whose), *told]]
        return lines + self.below(names, span["span_id"], depth + 1)

    def below(self, names, parent, depth):
        lines = []
        for count, span in self.siblings(names, parent):
            told = self.span(Names(names) if count > 1 else names, span, depth)
            if count > 1:
                told[0] = f"{'   ' * depth}{count} x {told[0].strip()}"
            lines += told
        return lines

    def siblings(self, names, parent):
        """(count, span): in order, and where they overlap by what they hold; alike ones are folded."""
        groups, end = [], 0
        for span in self.children.get(parent, []):
            if not groups or span["start_time_unix_nano"] >= end:
                groups.append([])
            groups[-1].append(span)
            end = max(end, span["end_time_unix_nano"])
        for group in groups:
            keyed = sorted(((self.key(span), self.number(names, span), span) for span in group),
                           key=lambda triple: triple[:2])
            while keyed:
                alike = [triple for triple in keyed if self.fold and triple[0] == keyed[0][0]]
                yield max(1, len(alike)), keyed[0][2]
                del keyed[: max(1, len(alike))]

    def number(self, names, span):
        """What is folded of it: the lowest one is told; and what ids are called that were met before."""
        text = compact(span["attributes"])
        found = self.fold.search(text) if self.fold else None
        met = [names.known.get((one.group(1), one.group()), "") for one in MADE_UP.finditer(text)]
        return (found.group() if found else "", met)

    def key(self, span):
        """What a span and all below it hold, in words of their own."""
        names = Names()
        lines = self.span(names, span, 0)
        return "\n".join(lines + [text for text, _ in names.of_family("m")])

    def lines(self):
        names = Names()
        yield "resource " + ", ".join(self.attributes(names, self.resource))
        yield from self.below(names, "", 0)
        for name, text in names.of_family("m"):
            yield f"{name} = {text}"


def outlasting(spans):
    """What hangs under a span and is not within its time; what began a process or a tool may be over
    before that is, and a call that was never answered is open to the end."""
    by_id = {span["span_id"]: span for span in spans}
    for span in spans:
        parent = by_id.get(span["parent_span_id"])
        if not parent or parent["attributes"]["ringspan.kind"] not in CONTAIN or \
           "unanswered" in span["attributes"].get("ringspan.incomplete", []):
            continue
        if span["start_time_unix_nano"] < parent["start_time_unix_nano"] or \
           span["end_time_unix_nano"] > parent["end_time_unix_nano"]:
            yield f"{span['name']} is not within the time of {parent['name']}"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="what is there is what is expected")
    parser.add_argument("--word", action="append", default=[], metavar="NAME=TEXT")
    parser.add_argument("--fold", metavar="REGEX", type=re.compile,
                        help="numbers of conversations that are alike: their trees are told once")
    parser.add_argument("--measured", metavar="REGEX", type=re.compile, default=re.compile("(?!)"),
                        help="more attributes that are only measured here")
    parser.add_argument("--drop", metavar="REGEX", type=re.compile, default=re.compile("(?!)"),
                        help="more attributes that are left out here")
    parser.add_argument("--schema", required=True, help="span.schema.json")
    parser.add_argument("spans")
    parser.add_argument("expected")
    options = parser.parse_args()
    spans = [json.loads(line) for line in read(options.spans)]
    validator = Validator(json.loads("\n".join(read(options.schema))))
    broken = [f"schema: {span['name']}: {e}" for span in spans for e in validator.errors(span)]
    broken += outlasting(spans)
    if broken:
        sys.exit("\n".join(broken))
    tree = Tree(spans, [word.split("=", 1) for word in options.word], options.fold,
                options.measured, options.drop)
    got = [line.rstrip() for line in tree.lines()]
    try:
        expected = read(options.expected)
    except FileNotFoundError:
        expected = ["# SPDX-License-Identifier: BSD-2-Clause"]
    comments = [line for line in expected if line.startswith("#")]
    if options.write:
        with open(options.expected, "w", encoding="utf-8") as file:
            file.write("\n".join(comments + got) + "\n")
        return
    expected = [line for line in expected if not line.startswith("#")]
    different = list(difflib.unified_diff(expected, got, "expected", "got", lineterm="", n=2))
    print("\n".join(different), end="\n" if different else "")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
