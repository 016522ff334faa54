# SPDX-License-Identifier: BSD-2-Clause
"""Two trees of one run: what the agent and the model server say was done, and what ringspan tells.

A tree holds what both can know: the run's exit, agents, turns with their prompts, model calls with each
attempt, tokens and ids, tool calls with arguments and results, approvals, MCP requests, and processes
with their arguments and exit codes, each below what it was done for.  All that an agent of soak.py does
bears its number, so what is another's is a difference.
"""

import difflib
import json
import re

ANY = "\0"  # in a text: whatever is there; nobody but ringspan knows it
THROTTLED = (429, 529)
EXTERNAL = ("sleep", "cat")  # what the shell of a tool starts a process for


def compact(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


class Node:
    def __init__(self, kind, text, order="", whole=True):
        self.kind, self.text, self.order, self.whole = kind, text, order, whole
        self.children = []
        self.other_text = None  # which may be told as well
        self.orphan = False  # what it hangs under is not there

    def add(self, *nodes):
        self.children += nodes
        return nodes[-1]

    def lines(self, depth=0):
        yield "  " * depth + f"{self.kind} {self.text}".rstrip().replace(ANY, "*") + \
            ("  (of nobody)" if self.orphan else "")
        for child in self.children:
            yield from child.lines(depth + 1)

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()

    def settle(self):
        """An order that does not depend on who was faster."""
        if self.kind == "chat":
            return  # one attempt after the other
        for child in self.children:
            child.settle()
        if self.kind != "turn":
            self.children.sort(key=lambda n: (n.kind, n.order))
            return
        settled, tools = [], []
        for child in [*self.children, None]:
            if child and child.kind == "tool":
                tools.append(child)
                continue
            settled += sorted(tools, key=lambda n: n.order) + ([child] if child else [])
            tools = []
        self.children = settled


def matches(expected, text):
    pattern = ".*".join(map(re.escape, expected.split(ANY)))
    return re.fullmatch(pattern, text, re.S) is not None


def call_text(api, model, status, request_id, answer, failed):
    said = " ".join(f"{k}={answer.get(k)}" for k in ("in", "out", "response", "finish"))
    return f"{api} {model} status={status or None} request={request_id or None} {said} " + \
        ("failed" if failed else "ok")


def attempt_text(sent, status, request_id, received, failed):
    return f"{sent} B sent, status={status or None} request={request_id or None} " \
        f"{received} B received " + ("failed" if failed else "ok")


class Call(Node):
    """A model call of the truth: an attempt that may not have left the agent may be missing."""

    def __init__(self, api, model):
        super().__init__("chat", "")
        self.api, self.model, self.attempts = api, model, []

    def choose(self, seen):
        """Which attempts there were: as many as ringspan tells, but those that are sure."""
        chosen = [a for a in self.attempts if a["sure"]]
        for attempt in self.attempts:
            if not attempt["sure"] and len(chosen) < seen:
                chosen.append(attempt)
        chosen.sort(key=self.attempts.index)
        if not chosen:
            return False
        last = chosen[-1]
        answer = last["answer"] if last["whole"] else {}
        self.text = call_text(self.api, self.model, last["status"], last["request_id"], answer,
                              not last["whole"])
        self.children = []
        for number, attempt in enumerate(chosen):
            received = attempt["answer"].get("received", ANY) if attempt["ended"] else ANY
            self.add(Node("attempt", attempt_text(
                attempt["body_bytes"], attempt["status"], attempt["request_id"], received,
                not attempt["whole"]), f"{number:03}"))
            if number + 1 < len(chosen):
                throttled = attempt["status"] in THROTTLED
                self.add(Node("wait", "throttled" if throttled else "retry", f"{number:03}"))
        return True


class Server:
    """What the model server logged, over all of its lives."""

    def __init__(self):
        self.requests, self.answers, self.unanswered = {}, {}, set()

    def read(self, life, lines):
        for line in lines:
            fact = json.loads(line)
            key = life, fact["seq"]
            if fact["event"] == "request":
                self.requests[key] = fact
                self.unanswered.add((fact.get("prompt"), fact["retry"], fact["body_bytes"]))
            elif fact["event"] == "response" and "request_id" in fact:
                self.answers[fact["request_id"]] = {**self.requests.get(key, {}), **fact}

    def answer(self, attempt):
        """What is known of the answer to an attempt; {} when there was none."""
        fact = self.answers.get(attempt.get("request_id"))
        if not fact:
            return {}
        usage = fact.get("usage") or {}
        return {"in": usage.get("input"), "out": usage.get("output"), "response": fact.get("response_id"),
                "finish": fact.get("finish"), "received": fact["content_bytes"],
                "calls": fact.get("tool_calls") or []}


def process_text(pid, argv, code):
    return f"{pid} {compact(argv)} {code}"


class Truth:
    """The tree of one agent's run, out of its own notes and the server's."""

    def __init__(self, job, lines, server):
        self.job, self.server = job, server
        self.run = Node("run", job.exit)
        self.tools, self.agents, self.turns, self.calls, self.programs = {}, {}, {}, {}, {}
        self.ports, self.results = set(), {}
        self.heads = 0  # requests of which no more may have been sent than their heads
        self.broken = 0  # answers that broke off
        for fact in lines:
            getattr(self, "on_" + fact.get("what", "process"))(fact)
        if job.mcp:
            self.mcp_session()
        for pid, agent in self.programs.items():  # its prompt is in the tool call's arguments
            tool = next((t for t in self.tools.values() for p in t.children
                         if p.kind == "process" and p.text.startswith(f"{pid} ")), None)
            (tool or self.run).add(agent)
        self.run.settle()

    def agent_of(self, fact, prompt):
        key = fact["pid"], fact["agent"]
        if key in self.agents:
            return self.agents[key]
        agent = self.agents[key] = Node("agent", "", prompt)
        if "tool_call" in fact:
            self.tools[fact["tool_call"]].add(agent)
        elif fact["pid"] != self.job.pid:
            self.programs[fact["pid"]] = agent
        else:
            self.run.add(agent)
        return agent

    def on_prompt(self, fact):
        agent = self.agent_of(fact, fact["prompt"])
        number = len(agent.children) + 1
        self.turns[fact["pid"], fact["agent"]] = agent.add(Node("turn", f"{number} {fact['prompt']}"))

    on_agent = on_prompt

    def on_connect(self, fact):
        self.ports.add(fact["port"])

    def on_attempt(self, fact):
        key = fact["pid"], fact["agent"]
        turn = self.turns[key]
        prompt = turn.text.split(" ", 1)[1]
        call = self.calls.get((key, fact["call"]))
        if not call:
            api, model = self.job.api, self.job.model
            if key != (self.job.pid, 0):  # others ask in one way only
                api, model = "anthropic.messages", "claude-sonnet-4-5"
            call = self.calls[key, fact["call"]] = turn.add(Call(api, model))
        answer = self.server.answer(fact)
        arrived = (prompt, fact["attempt"], fact["body_bytes"]) in self.server.unanswered
        sent = fact.get("sent", "part")
        if sent == "none":
            return
        sure = bool(fact["status"]) or sent == "all" or arrived
        if sent == "part" and not sure:
            self.heads += 1
        self.broken += fact["status"] == 200 and not fact["whole"]
        call.attempts.append({"request_id": None, **fact, "answer": answer, "sure": sure,
                              "ended": fact["whole"] or fact["status"] >= 400})
        for tool, text in self.results.get(key, []):
            tool.other_text = None if sure else tool.head + "None"
            tool.text = text
        if sure:
            self.results.pop(key, None)
        if fact["whole"]:
            for asked in answer.get("calls", []):
                self.tools[asked["id"]] = turn.add(self.tool(asked))

    def tool(self, asked):
        node = Node("tool", "", asked["id"])
        node.head = f"{asked['id']} {asked['name']} {compact(json.loads(asked['arguments']))} -> "
        node.text = node.head + "None"
        node.asked = json.loads(asked["arguments"])
        if asked["name"] == "shell":
            node.add(self.shell(node, ANY, ANY))
        if asked["name"].startswith("mcp__small__"):
            name = asked["name"].removeprefix("mcp__small__")
            node.add(Node("mcp", "tools/call " + name, name))
            if name == "lookup" and "://" not in self.job.mcp:
                argv = ["printf", "%s", "value of " + node.asked["key"]]
                node.add(Node("process", process_text(ANY, argv, 0), compact(argv)))
        return node

    def shell(self, node, pid, code):
        command = node.asked["command"]
        argv = [self.job.bash, "-c", command]
        shell = Node("process", process_text(pid, argv, code), compact(argv))
        for part in command.split("; "):
            if part.split(" ")[0] in EXTERNAL:
                part = part.split(" ")
                shell.add(Node("process", process_text(ANY, part, 0), compact(part)))
        return shell

    def on_asking(self, fact):
        pass

    def on_asked(self, fact):
        tool = self.tools[fact["id"]]
        tool.add(Node("approval", "approved" if fact["said"] == "y" else "denied"))
        if fact["said"] != "y":
            tool.children = [c for c in tool.children if c.kind != "process"]

    def on_tool(self, fact):
        tool = self.tools[fact["id"]]  # told with the next question
        self.results.setdefault((fact["pid"], fact["agent"]), []).append(
            (tool, tool.head + compact(fact["result"])))

    def on_process(self, fact):
        tool = self.tools[fact["tool_call"]]
        shells = [c for c in tool.children if c.kind == "process"]
        tool.children = [c for c in tool.children if c.kind != "process"]
        shell = tool.add(self.shell(tool, fact["pid"], fact["exit_code"]))
        if shells:
            shell.children = shells[0].children

    def on_done(self, fact):
        if fact["pid"] == self.job.pid and "://" in (self.job.mcp or ""):
            self.run.add(Node("http", "DELETE", "DELETE"))

    def mcp_session(self):
        for name in ("initialize", "notifications/initialized", "tools/list"):
            self.run.add(Node("mcp", name, name))
        if "://" not in self.job.mcp:
            argv = self.job.mcp.split()
            self.run.add(Node("process", process_text(ANY, argv, ANY), compact(argv)))


FLAT = {"connect", "tls", "dns", "file", "syscall"}  # not held against the truth but for the connects' ports


class Told:
    """The tree of one run as ringspan tells it."""

    def __init__(self, spans):
        self.spans = {s["span_id"]: s for s in spans}
        self.nodes, self.ports, self.run = {}, set(), None
        self.lost = False
        for span in sorted(spans, key=lambda s: (s["start_time_unix_nano"], s["end_time_unix_nano"])):
            self.take(span)
        for span in sorted(spans, key=lambda s: (s["start_time_unix_nano"], s["end_time_unix_nano"])):
            self.place(span)
        if self.run:
            self.run.settle()

    def take(self, span):
        kind, a = span["attributes"]["ringspan.kind"], span["attributes"]
        whole = not a.get("ringspan.incomplete") and not a.get("ringspan.unfinished")
        if "lost" in a.get("ringspan.incomplete", []):
            self.lost = True
        if kind == "connect" and span["status"]["code"] != "ERROR":
            self.ports.add(a.get("network.local.port"))
        if kind in FLAT:
            return
        text, order = getattr(self, "of_" + kind, self.of_other)(span, a)
        kind = {"model_call": "chat", "tool_call": "tool"}.get(kind, kind)
        node = self.nodes[span["span_id"]] = Node(kind, text, order, whole)
        if kind == "run":
            self.run = node

    def of_run(self, span, a):
        if "ringspan.process.signal" in a:
            return f"signal {a['ringspan.process.signal']}", ""
        return f"exit {a.get('process.exit.code')}", ""

    def prompt(self, a):
        messages = a.get("gen_ai.input.messages") or [{"parts": []}]
        return "".join(p.get("content", "") for p in messages[-1]["parts"])

    def of_agent(self, span, _a):
        turns = [s for s in self.spans.values() if s["parent_span_id"] == span["span_id"]
                 and s["attributes"]["ringspan.kind"] == "turn"]
        first = min(turns, key=lambda s: s["start_time_unix_nano"], default={"attributes": {}})
        return "", self.prompt(first["attributes"])

    def of_turn(self, _span, a):
        return f"{a.get('ringspan.turn')} {self.prompt(a)}", ""

    def of_model_call(self, span, a):
        finish = a.get("gen_ai.response.finish_reasons") or [None]
        failed = span["status"]["code"] == "ERROR"
        answer = {} if failed else {
            "in": a.get("gen_ai.usage.input_tokens"), "out": a.get("gen_ai.usage.output_tokens"),
            "response": a.get("gen_ai.response.id"), "finish": finish[0]}
        return call_text(a.get("ringspan.api"), a.get("gen_ai.request.model"),
                         a.get("http.response.status_code"), a.get("ringspan.response.request_id"),
                         answer, failed), ""

    def of_attempt(self, span, a):
        return attempt_text(a.get("http.request.body.size"), a.get("http.response.status_code"),
                            a.get("ringspan.response.request_id"), a.get("http.response.body.size"),
                            span["status"]["code"] == "ERROR"), f"{a.get('ringspan.attempt', 1) - 1:03}"

    def of_wait(self, _span, a):
        return a.get("ringspan.wait.reason"), ""

    def of_tool_call(self, _span, a):
        result = a.get("gen_ai.tool.call.result")
        call_id = a.get("gen_ai.tool.call.id")
        return f"{call_id} {a.get('gen_ai.tool.name')} {compact(a.get('gen_ai.tool.call.arguments'))}" \
            f" -> {'None' if result is None else compact(result)}", str(call_id)

    def of_approval(self, _span, a):
        return a.get("ringspan.approval.decision"), ""

    def of_mcp(self, span, _a):
        return span["name"], span["name"].removeprefix("tools/call ")

    def of_process(self, _span, a):
        argv = a.get("process.command_args")
        code = a.get("process.exit.code")
        if code is None:
            code = -a["ringspan.process.signal"] if "ringspan.process.signal" in a else None
        return process_text(a.get("process.pid"), argv, code), compact(argv)

    def of_http(self, span, a):
        return a.get("http.request.method") or span["name"], a.get("http.request.method") or ""

    def of_other(self, span, a):
        return f"{span['name']} {a.get('error.type', '')}".strip(), span["name"]

    def says_whole(self):
        """Of a run that is over its processes may go on when nobody looks any more."""
        return self.run.whole and all(n.whole for n in self.run.walk() if n.kind == "process")

    def place(self, span):
        node = self.nodes.get(span["span_id"])
        if not node or node is self.run:
            return
        parent = self.nodes.get(span["parent_span_id"])
        if not parent:
            node.orphan = True
            parent = self.run
        if parent:
            parent.add(node)
        if node.kind == "chat" and span["attributes"].get("ringspan.attempts", 1) == 1:
            text, order = self.of_attempt(span, span["attributes"])
            node.add(Node("attempt", text, order))


def same_words(expected, told):
    """Puts what nobody but ringspan knows into the truth, and leaves out what may not have been sent."""
    kept, left = [], list(told.children)
    for child in expected.children:
        other = next((n for n in left if n.kind == child.kind and n.order == child.order), None)
        other = other or next((n for n in left if n.kind == child.kind), None)
        if isinstance(child, Call):
            seen = sum(n.kind == "attempt" for n in other.children) if other else 0
            if not child.choose(seen):
                continue
        elif child.kind in ("agent", "turn") and not child.children:
            continue
        if other:
            same_words(child, other)
            left.remove(other)
            if ANY in child.text and matches(child.text, other.text) or child.other_text == other.text:
                child.text = other.text
        elif child.kind in ("agent", "turn"):
            same_words(child, Node(child.kind, ""))
        if child.kind in ("agent", "turn") and not child.children:
            continue
        kept.append(child)
    expected.children = kept


def drop_heads(run, left):
    """A request whose connection broke behind its head is told as a call that failed, of nobody."""
    for node in run.walk():
        for child in list(node.children):
            if left and child.kind == "chat" and not child.whole and " None status=None " in child.text:
                node.children.remove(child)
                left -= 1


def drop_asked_again(run):
    """What an answer asked for before it broke off, and the next one asked for again: nobody did it."""
    for node in run.walk():
        done = {n.text.split(" ", 1)[1].split(" -> ")[0] for n in node.children if n.kind == "tool" and n.whole}
        node.children = [n for n in node.children if n.kind != "tool" or n.whole or n.children or
                         not n.text.endswith(" -> None") or
                         n.text.split(" ", 1)[1].removesuffix(" -> None") not in done]


def drop_logs(run):
    """What an MCP server logs while two requests are open is neither's: it stands by itself."""
    for node in run.walk():
        node.children = [c for c in node.children if c.text != "notifications/message"]


def difference(truth, told):
    """Lines that tell how the two trees differ; none when they do not."""
    asked = any(a["sure"] for call in truth.calls.values() for a in call.attempts)
    if not told.run:  # who asks no model, nor a tool server, is no agent
        return ["- there is no span of the run itself"] if asked or truth.job.mcp else []
    drop_heads(told.run, truth.heads)
    if truth.broken:
        drop_asked_again(told.run)
    if truth.job.mcp:
        drop_logs(told.run)
    same_words(truth.run, told.run)
    lines = list(difflib.unified_diff(list(truth.run.lines()), list(told.run.lines()),
                                      "done", "told", lineterm="", n=20))
    missing = truth.ports - told.ports
    if missing:
        lines.append(f"- connects from {sorted(missing)}")
    return lines


def untrue(truth, told):
    """The same of a run of which only a part was watched: whatever is told whole must be true."""
    if not told.run:
        return []
    every = []
    for node in truth.run.walk():
        if isinstance(node, Call):
            node.choose(99)
            every += [("chat", call_text(node.api, node.model, a["status"], a["request_id"],
                                         a["answer"] if a["whole"] else {}, not a["whole"]))
                      for a in node.attempts]
        every.append((node.kind, node.text))
    lines = []
    for node in told.run.walk():
        if not node.whole or node.kind not in ("chat", "tool", "process"):
            continue
        found = next((e for e in every if e[0] == node.kind and matches(e[1], node.text)), None)
        if found:
            every.remove(found)
        elif not (node.kind == "process" and node.order == "null"):
            lines.append(f"+{node.kind} {node.text}")
    return lines
