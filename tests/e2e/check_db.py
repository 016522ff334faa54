#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Are the statements told as they were made: check_db.py SPANS, a line on stdin for each wanted:

    SYSTEM|NAME|TEXT|ROWS|CODE          ROWS and CODE may be empty
    SYSTEM|NAME|TEXT|ROWS|CODE|VALUES   with values that were bound, as JSON
"""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        spans = [json.loads(line) for line in lines]
    by_id = {span["span_id"]: span for span in spans}
    told = []
    for span in sorted(spans, key=lambda span: span["start_time_unix_nano"]):
        values = span["attributes"]
        if values["ringspan.kind"] != "db":
            continue
        parent = by_id[span["parent_span_id"]]["attributes"]
        assert parent["process.pid"] == values["process.pid"], span
        code = values.get("db.response.status_code", "")
        assert (span["status"]["code"] == "ERROR") == bool(code), span
        told.append("|".join([values["db.system.name"], span["name"], values.get("db.query.text", ""),
                              str(values.get("db.response.returned_rows", "")), code,
                              *[json.dumps(values[key]) for key in values if key == "db.query.parameter"]]))
    wanted = [line.rstrip("\n") for line in sys.stdin]
    assert told == wanted, "\n".join(["told:", *told, "wanted:", *wanted])


if __name__ == "__main__":
    main()
