#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds many conversations against the mock's log: check_many.py LOG SPANS COUNT.

Each has a number in its prompt, behind a "#".  Of each, the ids, tokens and tool calls that were
answered must be in its own agent's tree, and nothing else.
"""

import json
import re
import sys


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def number(text):
    return re.search(r"#(\d+)", text).group(1)


def truth(lines):
    """number -> what was answered to it, sorted."""
    prompts = {line["seq"]: line["prompt"] for line in lines if line["event"] == "request"}
    told = {number(prompt): [] for prompt in prompts.values()}
    for line in lines:
        if line["event"] == "response":
            told[number(prompts[line["seq"]])].append((
                line["status"], line.get("response_id", ""), line.get("usage", {}).get("input", 0),
                line.get("usage", {}).get("output", 0),
                [call["id"] for call in line.get("tool_calls", [])]))
    return {key: sorted(answers) for key, answers in told.items()}


def traced(spans):
    """The same as the spans have it."""
    parents = {span["span_id"]: span["parent_span_id"] for span in spans}
    kinds = {}
    for span in spans:
        kinds.setdefault(span["attributes"]["ringspan.kind"], []).append(span)
    tools = {}
    for span in kinds["tool_call"]:
        tools.setdefault(span["parent_span_id"], []).append(span["attributes"])
    told = {}
    for call in kinds["model_call"]:
        attributes = call["attributes"]
        asked = number(attributes["gen_ai.input.messages"][0]["parts"][0]["content"])
        agent = parents[call["parent_span_id"]]
        finish = attributes["gen_ai.response.finish_reasons"]
        calls = tools.get(call["parent_span_id"], []) if finish == ["tool_use"] else []
        answers = told.setdefault(asked, {}).setdefault(agent, [])
        answers.append((attributes["http.response.status_code"], attributes["gen_ai.response.id"],
                        attributes["gen_ai.usage.input_tokens"],
                        attributes["gen_ai.usage.output_tokens"],
                        [tool["gen_ai.tool.call.id"] for tool in calls]))
        answers.extend((attempt["attributes"]["http.response.status_code"], "", 0, 0, [])
                       for attempt in kinds["attempt"]
                       if attempt["parent_span_id"] == call["span_id"]
                       and attempt["status"]["code"] == "ERROR")
    return {key: [sorted(answers) for answers in agents.values()] for key, agents in told.items()}


def main():
    log, spans, count = sys.argv[1:]
    wanted, got = truth(read_lines(log)), traced(read_lines(spans))
    if len(wanted) != int(count):
        sys.exit(f"the mock was asked by {len(wanted)} conversations instead of {count}")
    wrong = [key for key in sorted(wanted) if got.get(key) != [wanted[key]]]
    for key in wrong:
        print(f"#{key}: {got.get(key)} instead of {wanted[key]}")
    sys.exit(1 if wrong or got.keys() != wanted.keys() else 0)


if __name__ == "__main__":
    main()
