#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds what was recorded of tests/agents/burst.py against what that says it did.

    check_burst.py CLIENT STATS SPANS BODY [--whole] [--cut BYTES]

CLIENT is its output, STATS of `doctor --stats RUN --json`, SPANS of `export --format ndjson --payload`, BODY
of `request`.  Whatever was lost, what is stored and what is counted as missing add up to what the client sent;
--whole: and nothing was; --cut: so many bytes of each body went over what is kept of one.
"""

import argparse
import json
import re
import sys

MARK = re.compile(rb"\[ringspan: (\d+) bytes (?:left out|missing)\]")
problems = []


def equal(what, found, wanted):
    if found != wanted:
        problems.append(f"{what}: {found!r}, not {wanted!r}")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--whole", action="store_true")
    args.add_argument("--cut", type=int, default=0)
    args.add_argument("files", nargs=4)
    args = args.parse_args()
    client, stats = (json.load(open(name, encoding="utf-8")) for name in args.files[:2])
    with open(args.files[2], encoding="utf-8") as file:
        spans = [json.loads(line) for line in file]
    with open(args.files[3], "rb") as file:
        body = file.read()
    told = {key.removeprefix("ringspan."): value for key, value in stats["attributes"].items()}

    # all that calls moved, and where it went
    lost = sum(value for key, value in told.items()
               if re.fullmatch(r"(lost|left_out)\..*\.bytes", key) and "parser_budget" not in key)
    lost_records = told.get("lost.ring_full.records", 0)
    equal("content", told["content.produced_bytes"], client["sent"] + client["received"])
    equal("content that came or was lost", told["content.delivered_bytes"] + lost,
          told["content.produced_bytes"])
    equal("records that came or were lost", told["records.delivered"] + lost_records +
          told.get("left_out.rate.records", 0) + told.get("records.waiting", 0),
          told["records.produced"])
    equal("over what is kept", told.get("lost.parser_budget.bytes", 0), 2 * args.cut)

    calls = [span["attributes"] for span in spans
             if span["attributes"]["ringspan.kind"] == "model_call"]
    equal("model calls", len(calls), 1)
    call = calls[0] if calls else {}
    missing = call.get("ringspan.missing_bytes", 0)
    equal("request on the wire", call.get("http.request.body.size"), client["body"])
    equal("answer on the wire", call.get("http.response.body.size"), client["answer"])
    equal("bytes left out", call.get("ringspan.cut_bytes", 0), 2 * args.cut)
    equal("missing bytes of the call", missing, lost)
    if args.whole:
        equal("lost", lost + lost_records, 0)
        equal("usage, which comes last", call.get("gen_ai.usage.output_tokens"), 22)
        equal("its end", body[-8:], b' END"}]}')
        equal("marked", sorted(call.get("ringspan.incomplete", [])),
              ["cap", "request_cut"] if args.cut else [])
    else:
        equal("marked", "hole" in call.get("ringspan.incomplete", []), lost > 0)
    # our loss is no failure of the provider's
    equal("status", [span["status"]["code"] for span in spans
                     if span["attributes"]["ringspan.kind"] == "model_call"], ["UNSET"])
    equal("request that is kept, and what is not",
          len(MARK.sub(b"", body)) + sum(map(int, MARK.findall(body))), client["body"])
    equal("its beginning", body[:64].split(b"BEGIN")[0], b'{"model":"gpt-4.1","messages":[{"role":"user","content":"')
    for problem in problems:
        print(problem)
    if lost:
        print(f"# lost {lost} of {told['content.produced_bytes']} bytes", file=sys.stderr)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
