#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Are model calls under the requests that a service made them for: check_served.py SPANS COUNT.

Each request has its number in its path, and what the model is asked for it has the same behind a "#".
Above each model call are its turn, its agent, the service's side of that request and the client's.
"""

import json
import re
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        spans = [json.loads(line) for line in lines]
    by_id = {span["span_id"]: span for span in spans}
    calls = {}
    for call in spans:
        if call["attributes"]["ringspan.kind"] != "model_call":
            continue
        path, above = [], call
        while above := by_id.get(above["parent_span_id"]):
            path.append(above)
        number = re.search(r"#([0-9]+)", json.dumps(call["attributes"]["gen_ai.input.messages"]))[1]
        calls[number] = calls.get(number, 0) + 1
        turn, agent, server, client, *_ = path
        kinds = [span["attributes"]["ringspan.kind"] for span in path[:4]]
        assert kinds == ["turn", "agent", "http", "http"], (number, kinds)
        assert agent["attributes"].get("ringspan.link") == "exact", agent
        assert (server["kind"], client["kind"]) == ("SERVER", "CLIENT"), (server, client)
        for end in (server, client):
            assert end["attributes"]["url.full"].endswith(f"/ask/{number}"), (number, end)
        assert server["start_time_unix_nano"] <= agent["start_time_unix_nano"], number
        assert turn["attributes"]["ringspan.model_calls"] == 2, turn
    assert calls == {str(n): 2 for n in range(int(sys.argv[2]))}, calls


if __name__ == "__main__":
    main()
