#!/usr/bin/env python3
"""Owns the verdict: asks a running roomtally for every range of recount.py and compares each
answer exactly: status, content type, names and their order, rows and their order, numbers.

Nothing compared is a failure, as is one difference.
"""

import argparse
import http.client
import json
import sys
import urllib.parse

PATH = "/api/v1/livechat/analytics/departments/amount-of-chats"
ROWS_SHOWN = 10


def canonical(value):
    """JSON with names in the order in which they came: equal texts are equal answers."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def expected_answer(expected):
    rows = expected["departments"]
    return {"departments": rows, "count": len(rows), "offset": 0, "total": len(rows), "success": True}


def row_differences(expected, got):
    """The rows that differ, in words; none if only their order or something else differs."""
    expected_rooms = {row["_id"]: row["rooms"] for row in expected}
    got_rooms = {row["_id"]: row["rooms"] for row in got}
    for name in expected_rooms | got_rooms:
        if expected_rooms.get(name) != got_rooms.get(name):
            yield f"{json.dumps(name, ensure_ascii=False)}: expected {expected_rooms.get(name, 'no row')}, got {got_rooms.get(name, 'no row')}"


def difference(expected, status, content_type, body):
    """What is wrong with an answer, as lines; empty if nothing is."""
    if status != 200:
        return [f"status {status}: {body[:300]!r}"]
    if content_type != "application/json":
        return [f"content-type {content_type!r}, not application/json"]
    try:
        got = json.loads(body)
    except ValueError as error:
        return [f"not JSON ({error}): {body[:300]!r}"]
    wanted = expected_answer(expected)
    if canonical(got) == canonical(wanted):
        return []
    try:
        rows = list(row_differences(wanted["departments"], got["departments"]))
    except (KeyError, TypeError):
        return [f"not the answer's shape: {body[:300]!r}"]
    if not rows:
        return [f"same rooms in each department, but other order, names or paging: {body[:300]!r}"]
    more = [f"and {len(rows) - ROWS_SHOWN} more rows"] if len(rows) > ROWS_SHOWN else []
    return rows[:ROWS_SHOWN] + more


class Server:
    def __init__(self, url, user, token, timeout_s):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            sys.exit(f"compare: --url must look like http://127.0.0.1:3000, not {url!r}")
        self.url = url
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout_s)
        self.headers = {"X-User-Id": user, "X-Auth-Token": token}

    def ask(self, expected):
        query = {"start": expected["start"], "end": expected["end"], "count": 0}
        if expected["answered"] is not None:
            query["answered"] = expected["answered"]
        try:
            self.connection.request("GET", f"{PATH}?{urllib.parse.urlencode(query)}", headers=self.headers)
            response = self.connection.getresponse()
            return response.status, response.getheader("content-type"), response.read()
        except (OSError, http.client.HTTPException) as error:
            sys.exit(f"compare: {self.url} does not answer ({error!r}); is roomtally serving there?")


def arguments():
    parser = argparse.ArgumentParser(description="Compares a running roomtally's answers with expected ones.")
    parser.add_argument("expected", help="what recount.py printed; - is standard input")
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="(default %(default)s)")
    parser.add_argument("--user", required=True, help="value of X-User-Id")
    parser.add_argument("--token", required=True, help="value of X-Auth-Token")
    parser.add_argument("--timeout", type=float, default=30, help="seconds for one answer (default %(default)s)")
    return parser.parse_args()


def main():
    chosen = arguments()
    server = Server(chosen.url, chosen.user, chosen.token, chosen.timeout)
    equal = different = rooms = 0
    with sys.stdin if chosen.expected == "-" else open(chosen.expected, encoding="utf-8") as file:
        for line in file:
            expected = json.loads(line)
            wrong = difference(expected, *server.ask(expected))
            if wrong:
                different += 1
                print(f"different: start={expected['start']} end={expected['end']} answered={expected['answered']}")
                print("".join(f"  {words}\n" for words in wrong), end="")
            else:
                equal += 1
                rooms += sum(row["rooms"] for row in expected["departments"])
    print(f"{equal} answers equal ({rooms} rooms counted in them), {different} different")
    if equal + different == 0:
        sys.exit("compare: nothing was compared; give what recount.py printed")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
