#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the spans of one run against the ground truth: what the mock server and the agent logged.

Prints one line for each thing that is wrong and exits 1 when there was any.
"""

import argparse
import json
import re
import sys

from schema import Validator

CLOCK_SLACK_NS = 20_000_000  # between the mock's clock and a kernel time stamp made wall time
SECRET = re.compile(r"(?<=sk-)(?:ant-api03|proj)-[A-Za-z0-9_-]+")


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def masked(text):
    """As redaction leaves it: every byte of a key is a star, but for what tells that it is one."""
    return SECRET.sub(lambda found: "*" * len(found.group()), text)


def kind(span):
    return span["attributes"].get("ringspan.kind")


class Checker:
    def __init__(self, options):
        self.options = options
        self.problems = 0
        self.spans = read_lines(options.spans)
        self.by_id = {span["span_id"]: span for span in self.spans}
        self.calls = self.group(read_lines(options.truth))
        self.mask = (lambda text: text) if options.no_redact else masked

    def fail(self, text):
        self.problems += 1
        print(text)

    def equal(self, what, got, wanted):
        if got != wanted:
            self.fail(f"{what}: {got!r:.300} instead of {wanted!r:.300}")

    def of_kind(self, name):
        found = [span for span in self.spans if kind(span) == name]
        return sorted(found, key=lambda span: span["start_time_unix_nano"])

    def group(self, lines):
        """Model calls: lists of attempts, each a request and its answer in one dict."""
        calls = []
        answers = {line["seq"]: line for line in lines if line["event"] == "response"}
        for line in lines:
            if line["event"] != "request":
                continue
            answer = answers.get(line["seq"], {"status": 0, "content_bytes": 0, "cut": True})
            attempt = {**line, **answer, "request_time": line["time_unix_nano"],
                       "request_model": line.get("model")}
            if line["retry"]:
                calls[-1].append(attempt)
            else:
                calls.append([attempt])
        return calls

    def check(self):
        self.check_shape()
        if self.options.at_least is not None:
            self.check_part()
            return
        self.check_run()
        spans = self.of_kind("model_call")
        self.equal("number of model calls", len(spans), len(self.calls))
        for number, (span, attempts) in enumerate(zip(spans, self.calls)):
            self.check_model_call(f"model call {number}", span, attempts)
        self.check_tool_calls()
        self.check_processes()
        self.check_connects()
        self.check_approvals()
        self.check_context()

    def check_part(self):
        """Of a run that was joined late or left early: what is there must be right."""
        by_id = {attempts[-1].get("response_id"): attempts for attempts in self.calls}
        whole = [span for span in self.of_kind("model_call")
                 if not span["attributes"].get("ringspan.incomplete")
                 and not span["attributes"].get("ringspan.unfinished")]
        if len(whole) < self.options.at_least:
            self.fail(f"{len(whole)} whole model calls, wanted {self.options.at_least}")
        for span in whole:
            response_id = span["attributes"].get("gen_ai.response.id")
            if response_id not in by_id:
                self.fail(f"model call with the unknown response id {response_id}")
                continue
            self.check_model_call(f"model call {response_id}", span, by_id[response_id])

    def check_shape(self):
        """Schema, ids, and the tree."""
        if self.options.schema:
            with open(self.options.schema, encoding="utf-8") as file:
                validator = Validator(json.load(file))
            for span in self.spans:
                for error in validator.errors(span):
                    self.fail(f"schema: span {span['name']!r}: {error}")
        self.equal("distinct span ids", len(self.by_id), len(self.spans))
        self.equal("trace ids", len({span["trace_id"] for span in self.spans}), 1)
        for span in self.spans:
            parent = span["parent_span_id"]
            if parent and parent not in self.by_id and self.options.at_least is None:
                self.fail(f"span {span['name']!r} has the unknown parent {parent}")
            if span["end_time_unix_nano"] < span["start_time_unix_nano"]:
                self.fail(f"span {span['name']!r} ends before it starts")

    def check_run(self):
        runs = self.of_kind("run")
        self.equal("number of runs", len(runs), 1)
        roots = [span for span in self.spans if not span["parent_span_id"]]
        self.equal("root spans", [kind(span) for span in roots], ["run"])
        if len(runs) != 1:
            return
        attributes = runs[0]["attributes"]
        exit_code = attributes.get("process.exit.code")
        self.equal("exit code of the run", exit_code, self.options.exit_code)
        self.equal("ringspan.model_calls", attributes.get("ringspan.model_calls"), len(self.calls))
        if "ringspan.incomplete" in attributes:
            self.fail(f"the run is incomplete: {attributes['ringspan.incomplete']}")

    def check_model_call(self, what, span, attempts):
        attributes, last = span["attributes"], attempts[-1]
        wanted = {
            "ringspan.attempts": len(attempts),
            "ringspan.api": last["api"],
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": last["request_model"],
            "http.request.body.size": sum(a["body_bytes"] for a in attempts),
            "http.response.body.size": sum(a["content_bytes"] for a in attempts),
            "http.response.status_code": last["status"],
            "ringspan.response.request_id": last["request_id"],
        }
        for key, value in wanted.items():
            self.equal(f"{what}: {key}", attributes.get(key), value)
        self.equal(f"{what}: name", span["name"], "chat " + last["request_model"])
        self.equal(f"{what}: streamed", attributes.get("gen_ai.request.stream", False),
                   last["stream"])
        failed = last["status"] != 200 or last["cut"] or not last.get("finish")
        self.equal(f"{what}: is an error", span["status"]["code"] == "ERROR", failed)
        if not failed:
            self.check_answer(what, attributes, last)
            self.equal(f"{what}: incomplete", attributes.get("ringspan.incomplete"), None)
        self.check_times(what, span, attempts)
        if len(attempts) > 1:
            self.check_attempts(what, span, attempts)

    def check_answer(self, what, attributes, truth):
        usage = truth["usage"]
        wanted = {
            "gen_ai.response.id": truth["response_id"],
            "gen_ai.response.model": truth["model"],
            "gen_ai.response.finish_reasons": [truth["finish"]],
            "gen_ai.usage.input_tokens": usage["input"],
            "gen_ai.usage.output_tokens": usage["output"],
        }
        for key, value in wanted.items():
            self.equal(f"{what}: {key}", attributes.get(key), value)
        parts = {
            "gen_ai.usage.cache_read.input_tokens": usage["cache_read"],
            "gen_ai.usage.cache_creation.input_tokens": usage["cache_write"],
            "gen_ai.usage.reasoning.output_tokens": usage["reasoning"],
        }
        for key, value in parts.items():
            self.equal(f"{what}: {key}", attributes.get(key, 0), value)

    def check_times(self, what, span, attempts):
        start, end = span["start_time_unix_nano"], span["end_time_unix_nano"]
        if start > attempts[0]["request_time"] + CLOCK_SLACK_NS:
            self.fail(f"{what}: starts after the server had the request")
        if end < attempts[-1]["time_unix_nano"] - CLOCK_SLACK_NS:
            self.fail(f"{what}: ends before the server sent its last byte")
        if end > attempts[-1]["time_unix_nano"] + 1_000_000_000:
            self.fail(f"{what}: ends more than a second after the answer")

    def check_attempts(self, what, call, attempts):
        spans = [span for span in self.of_kind("attempt")
                 if span["parent_span_id"] == call["span_id"]]
        self.equal(f"{what}: attempt spans", len(spans), len(attempts))
        waits = [span["attributes"].get("ringspan.wait.reason") for span in self.of_kind("wait")
                 if span["parent_span_id"] == call["span_id"]]
        wanted = ["throttled" if a["status"] in (429, 529) else "retry" for a in attempts[:-1]]
        self.equal(f"{what}: waits", waits, wanted)
        for number, (span, truth) in enumerate(zip(spans, attempts), 1):
            attributes, name = span["attributes"], f"{what}, attempt {number}"
            wanted = {
                "ringspan.attempt": number,
                "http.response.status_code": truth["status"],
                "http.request.body.size": truth["body_bytes"],
                "http.response.body.size": truth["content_bytes"],
                "ringspan.retry.after_ns": 10**9 if truth["status"] == 429 else None,
            }
            for key, value in wanted.items():
                self.equal(f"{name}: {key}", attributes.get(key), value)

    def truth_tool_calls(self):
        """id -> the call with its result, of all answers that came through."""
        calls = {}
        for attempts in self.calls:
            for result in attempts[-1].get("tool_results", []):
                if result["id"] in calls:
                    calls[result["id"]]["result"] = result["text"]
            if not attempts[-1]["cut"] and attempts[-1].get("finish"):
                for call in attempts[-1].get("tool_calls", []):
                    calls[call["id"]] = dict(call)
        return calls

    def check_tool_calls(self):
        truth = self.truth_tool_calls()
        spans = self.of_kind("tool_call")
        ids = [span["attributes"].get("gen_ai.tool.call.id") for span in spans]
        self.equal("tool call ids", sorted(map(str, ids)), sorted(truth))
        for span, call_id in zip(spans, ids):
            if call_id not in truth:
                continue
            what, attributes, call = f"tool call {call_id}", span["attributes"], truth[call_id]
            self.equal(f"{what}: name", attributes.get("gen_ai.tool.name"), call["name"])
            self.equal(f"{what}: span name", span["name"], "execute_tool " + call["name"])
            self.check_arguments(what, attributes, call["arguments"])
            result = attributes.get("gen_ai.tool.call.result")
            self.equal(f"{what}: result", result, self.mask(call.get("result", "")))
            self.check_validation(what, span, call)

    def check_validation(self, what, span, call):
        below = [s for s in self.of_kind("validation") if s["parent_span_id"] == span["span_id"]]
        wanted = ["invalid_arguments"] if call["invalid"] else []
        self.equal(f"{what}: validations", [s["attributes"].get("error.type") for s in below],
                   wanted)

    def check_arguments(self, what, attributes, text):
        got = attributes.get("gen_ai.tool.call.arguments")
        try:
            self.equal(f"{what}: arguments", got, json.loads(self.mask(text)))
            return
        except ValueError:
            pass  # they broke off: what came before the break must be there
        self.equal(f"{what}: incomplete", attributes.get("ringspan.incomplete"), ["cut"])
        if isinstance(got, dict):
            got = next((v for v in got.values() if isinstance(v, str)), None)
        if not got or json.dumps(got, ensure_ascii=False)[1:-1] not in text and got != text:
            self.fail(f"{what}: arguments {got!r:.200} instead of the cut {text!r:.200}")

    def check_processes(self):
        tools = {span["attributes"].get("gen_ai.tool.call.id"): span
                 for span in self.of_kind("tool_call")}
        processes = {span["attributes"].get("process.pid"): span
                     for span in self.of_kind("process")}
        for line in read_lines(self.options.agent_log) if self.options.agent_log else []:
            what = f"process {line['pid']} of {line['tool_call']}"
            span = processes.get(line["pid"])
            if not span:
                self.fail(f"{what}: has no span")
                continue
            attributes = span["attributes"]
            argv = [self.mask(argument) for argument in line["argv"]]
            self.equal(f"{what}: argv", attributes.get("process.command_args"), argv)
            code = attributes.get("process.exit.code")
            self.equal(f"{what}: exit code", code, line["exit_code"])
            tool = tools.get(line["tool_call"])
            parent = self.by_id.get(span["parent_span_id"], {}).get("name")
            if tool and span["parent_span_id"] != tool["span_id"]:
                self.fail(f"{what}: is a child of {parent!r}, not of its tool call")
            if attributes.get("ringspan.link") not in ("exact", "argument"):
                self.fail(f"{what}: ringspan.link is {attributes.get('ringspan.link')!r}")

    def check_approvals(self):
        spans = self.of_kind("approval")
        got = [span["attributes"].get("ringspan.approval.decision") for span in spans]
        self.equal("approvals", got, self.options.approval)
        for span in spans:
            parent = self.by_id.get(span["parent_span_id"], span)
            self.equal("approval: parent", kind(parent), "tool_call")

    def check_context(self):
        wanted = [(self.options.trace_id, "continues")] if self.options.trace_id else []
        for span in self.of_kind("model_call") + self.of_kind("run"):
            got = [(link["trace_id"], link["attributes"]["ringspan.relation"])
                   for link in span["links"]]
            self.equal(f"links of {span['name']!r}", got, wanted)

    def check_connects(self):
        spans = {span["attributes"].get("network.local.port"): span
                 for span in self.of_kind("connect")}
        for port in {attempt["port"] for attempts in self.calls for attempt in attempts}:
            if port not in spans:
                self.fail(f"no connect span with the local port {port}")
                continue
            peer = spans[port]["attributes"].get("network.peer.port")
            self.equal(f"connect from {port}: peer port", peer, self.options.server_port)
            code = spans[port]["status"]["code"]
            self.equal(f"connect from {port}: is an error", code == "ERROR", False)
            self.check_handshake(port)

    def check_handshake(self, port):
        """The mock's certificate is fresh and its log has requests of nobody who refused it."""
        spans = [span["attributes"] for span in self.of_kind("tls")
                 if span["attributes"].get("network.local.port") == port]
        self.equal(f"connect from {port}: TLS handshakes", len(spans), 1)
        for attributes in spans:
            self.equal(f"TLS from {port}: established", attributes.get("tls.established"), True)
            for key in ("tls.protocol.version", "tls.cipher"):
                if not attributes.get(key):
                    self.fail(f"TLS from {port}: no {key}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", required=True, help="NDJSON with payloads")
    parser.add_argument("--truth", required=True, help="the mock's log")
    parser.add_argument("--agent-log", help="the agent's log")
    parser.add_argument("--schema", help="span.schema.json")
    parser.add_argument("--server-port", type=int)
    parser.add_argument("--exit-code", type=int, default=0)
    parser.add_argument("--approval", action="append", default=[], metavar="DECISION",
                        help="a wait for a human, in order of time")
    parser.add_argument("--trace-id", help="that the requests' traceparent names")
    parser.add_argument("--no-redact", action="store_true", help="secrets must be as they were")
    parser.add_argument("--at-least", type=int, metavar="N",
                        help="the run was watched in part: N whole model calls are enough")
    checker = Checker(parser.parse_args())
    checker.check()
    sys.exit(1 if checker.problems else 0)


if __name__ == "__main__":
    main()
