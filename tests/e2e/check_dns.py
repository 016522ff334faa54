#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the dns spans of one run against what tests/mock/dns_server.py was asked.

Prints one line for each thing that is wrong and exits 1 when there was any.
"""

import argparse
import collections
import json
import sys

from schema import Validator

RCODES = {"missing": "NXDOMAIN", "refused": "REFUSED"}
COUNTS = {"big": 64, "large": 64, "missing": 0, "refused": 0}


class Checker:
    def __init__(self, options):
        self.options, self.problems = options, 0
        with open(options.spans, encoding="utf-8") as lines:
            self.spans = [json.loads(line) for line in lines]
        with open(options.truth, encoding="utf-8") as lines:
            self.truth = [json.loads(line) for line in lines]
        self.by_id = {span["span_id"]: span for span in self.spans}

    def equal(self, what, got, wanted):
        if got != wanted:
            self.problems += 1
            print(f"{what}: {got!r:.300} instead of {wanted!r:.300}")

    def check(self):
        asked = collections.Counter((line["name"], line["type"]) for line in self.truth)
        told = collections.Counter()
        with open(self.options.schema, encoding="utf-8") as file:
            validator = Validator(json.load(file))
        for span in self.spans:
            attributes = span["attributes"]
            self.equal(f"schema of {span['name']}", list(validator.errors(span)), [])
            if attributes["ringspan.kind"] != "dns":
                continue
            name, kind = attributes["dns.question.name"], attributes["ringspan.dns.question.type"]
            told[name, kind] += attributes.get("ringspan.attempts", 1)
            self.check_span(f"{name} {kind}", span, name.split(".")[0], kind)
        self.equal("questions", told, asked)

    def check_span(self, what, span, label, kind):
        attributes = span["attributes"]
        parent = self.by_id[span["parent_span_id"]]
        rcode, count = RCODES.get(label, "NOERROR"), COUNTS.get(label, 1)
        self.equal(f"{what}: result", attributes.get("ringspan.dns.response_code"), rcode)
        self.equal(f"{what}: error", attributes.get("error.type"), RCODES.get(label))
        self.equal(f"{what}: answers", len(attributes.get("dns.answers", [])), count)
        self.equal(f"{what}: incomplete", attributes.get("ringspan.incomplete"), None)
        self.equal(f"{what}: transport", attributes.get("network.transport"),
                   "tcp" if label == "big" else "udp")
        # glibc takes its other question along to TCP without trying a datagram first
        truncated = label == "big" and (kind == "A" or self.options.program.endswith("mjs"))
        self.equal(f"{what}: truncated", attributes.get("ringspan.dns.truncated", False),
                   truncated)
        self.equal(f"{what}: who asked", parent["attributes"].get("process.command_args", [])[1:2],
                   [self.options.program])
        length = span["end_time_unix_nano"] - span["start_time_unix_nano"]
        lost = label == "slow" and kind == "A"
        self.equal(f"{what}: waited for an answer that was lost ({length} ns)",
                   length > 400_000_000, lost)
        if lost:
            self.equal(f"{what}: attempts", attributes.get("ringspan.attempts"), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", required=True, help="NDJSON")
    parser.add_argument("--truth", required=True, help="the server's log")
    parser.add_argument("--schema", required=True, help="span.schema.json")
    parser.add_argument("--program", required=True, help="first argument of the process that asks")
    checker = Checker(parser.parse_args())
    checker.check()
    sys.exit(1 if checker.problems else 0)


if __name__ == "__main__":
    main()
