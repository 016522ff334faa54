#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the MCP spans of one run against what the client of tests/agents/mcp_client.py logged.

Client and server are both traced, so each request must be one span, with both ends' facts.  Prints
one line for each thing that is wrong and exits 1 when there was any.
"""

import argparse
import json
import sys

from schema import Validator

SLACK_NS = 5_000_000  # between the client's clock and a kernel time stamp made wall time
STATELESS = "2026-07-28"


class Checker:
    def __init__(self, options):
        self.options, self.problems = options, 0
        with open(options.spans, encoding="utf-8") as lines:
            self.spans = [json.loads(line) for line in lines]
        with open(options.truth, encoding="utf-8") as lines:
            self.truth = [json.loads(line) for line in lines]
        self.by_id = {span["span_id"]: span for span in self.spans}
        self.mcp = sorted(self.of_kind("mcp"), key=lambda span: span["start_time_unix_nano"])

    def fail(self, text):
        self.problems += 1
        print(text)

    def equal(self, what, got, wanted):
        if got != wanted:
            self.fail(f"{what}: {got!r:.300} instead of {wanted!r:.300}")

    def of_kind(self, name):
        return [span for span in self.spans if span["attributes"]["ringspan.kind"] == name]

    def check(self):
        with open(self.options.schema, encoding="utf-8") as file:
            validator = Validator(json.load(file))
        for span in self.spans:
            for error in validator.errors(span):
                self.fail(f"schema: span {span['name']!r}: {error}")
            parent = span["parent_span_id"]
            if parent and parent not in self.by_id:
                self.fail(f"span {span['name']!r} has the unknown parent {parent}")
        left = list(self.mcp)
        for line in self.truth:
            span = next((s for s in left if s["name"] == line["name"]), None)
            if not span:
                self.fail(f"no span {line['name']!r}")
                continue
            left.remove(span)
            self.check_span(span, line)
        names = [span["name"] for span in left]
        self.equal("other spans", names,
                   [] if self.options.era == STATELESS else ["notifications/initialized"])
        self.check_tools()
        asked = [span["name"] for span in self.of_kind("approval")
                 if span["attributes"].get("ringspan.approval.by") != "elicitation"]
        self.equal("words of humans, who were not asked", asked, [])
        self.equal("http spans that are no DELETE or POST of an answer", [
            span["name"] for span in self.of_kind("http")
            if span["attributes"]["http.request.method"] != "DELETE"
            and span["attributes"].get("http.response.status_code") != 202], [])

    def check_span(self, span, line):
        what, attributes = line["name"], span["attributes"]
        by_client = line["by"] == "client"
        pids = [line["pid"], self.server_pid()]
        if not by_client:
            pids.reverse()
        self.equal(f"{what}: span kind", span["kind"], "CLIENT")
        self.equal(f"{what}: server", attributes.get("ringspan.mcp.server.name"), "small-tools")
        self.equal(f"{what}: protocol", attributes.get("mcp.protocol.version"), self.options.era)
        self.equal(f"{what}: error", attributes.get("error.type"), line.get("error"))
        self.equal(f"{what}: incomplete", attributes.get("ringspan.incomplete"), None)
        if by_client:
            self.equal(f"{what}: pid", attributes.get("process.pid", pids[0]), pids[0])
            self.check_times(what, span, line)
        self.equal(f"{what}: peer pid", attributes.get("ringspan.rpc.peer_pid"), pids[1])
        if line.get("error") != "cancelled":
            handling = attributes.get("ringspan.rpc.handling_ns", -1)
            length = span["end_time_unix_nano"] - span["start_time_unix_nano"]
            if not 0 < handling <= length:
                self.fail(f"{what}: handled in {handling} of {length} ns")
        self.check_more(what, span)

    def server_pid(self):
        found = [span["attributes"]["process.pid"] for span in self.of_kind("process")
                 if any("mcp_server.py" in word for word in
                        span["attributes"].get("process.command_args", [])[:2])]
        return found[0] if found else None

    def check_times(self, what, span, line):
        start, end = span["start_time_unix_nano"], span["end_time_unix_nano"]
        if start < line["start"] - SLACK_NS or end > line["end"] + SLACK_NS:
            self.fail(f"{what}: from {start} to {end}, outside of {line['start']} to {line['end']}")

    def check_more(self, what, span):
        attributes = span["attributes"]
        parent = self.by_id.get(span["parent_span_id"], {}).get("name")
        if what in ("elicitation/create", "sampling/createMessage"):
            asked_in = "remove" if what.startswith("e") else "summarise"
            self.equal(f"{what}: parent", parent, "tools/call " + asked_in)
        if what == "elicitation/create":
            self.equal(f"{what}: the human's word", attributes.get("ringspan.approval.action"), "accept")
        if what == "tools/call count" and not self.options.tools:
            self.equal(f"{what}: events", [event["name"] for event in span["events"]],
                       ["progress"] * 3 + ["log"])
        if what == "tools/call lookup" and not self.options.tools:
            result = attributes.get("gen_ai.tool.call.result", "")
            key = attributes.get("gen_ai.tool.call.arguments", {}).get("key")
            self.equal(f"{what}: result", result, f"value of {key}")

    def check_tools(self):
        """Each call of the model's has its request below it, found by its arguments."""
        calls = self.of_kind("tool_call")
        self.equal("tool calls", len(calls), self.options.tools)
        for call in calls:
            below = [span for span in self.mcp if span["parent_span_id"] == call["span_id"]]
            name = call["attributes"]["gen_ai.tool.name"].removeprefix("mcp__small__")
            self.equal(f"{call['name']}: below", [span["name"] for span in below],
                       ["tools/call " + name])
            self.equal(f"{call['name']}: link",
                       [span["attributes"].get("ringspan.link") for span in below], ["argument"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", required=True, help="NDJSON with payloads")
    parser.add_argument("--truth", required=True, help="the client's log")
    parser.add_argument("--schema", required=True, help="span.schema.json")
    parser.add_argument("--era", required=True)
    parser.add_argument("--tools", type=int, default=0, help="tool calls of a model")
    checker = Checker(parser.parse_args())
    checker.check()
    sys.exit(1 if checker.problems else 0)


if __name__ == "__main__":
    main()
