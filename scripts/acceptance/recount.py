#!/usr/bin/env python3
"""Owns the expected answers: counts a file of native events a second time, independently of
roomtally, and prints what the endpoint must say for many ranges, one JSON object a line.

It does the simplest thing that can be right: the state of each room id after the whole file, in
the file's order, in a dictionary; then every answer is a count over the rooms sorted by `ts`. It
reads only what make_events.py writes and stops at a line that it does not understand, because an
expectation that skips lines is none.
"""

import argparse
import bisect
import collections
import datetime
import json
import random
import re
import sys

EPOCH_ORDINAL = datetime.date(1970, 1, 1).toordinal()
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{3})\d*(?:Z|([+-])(\d\d):?(\d\d))", re.ASCII)
# How a range's edges lie about the `ts` of a room, in milliseconds: on it and one off, both sides.
EDGES = (-1, 0, 1)

Room = collections.namedtuple("Room", "ts department waiting")


def instant_ms(value):
    """A date as the events have it, in milliseconds since 1970, finer digits cut."""
    if isinstance(value, dict):
        if len(value) != 1 or not value.keys() <= {"$date", "$numberLong"}:
            raise ValueError(f"not a date: {value!r}")
        if "$numberLong" in value:
            return int(value["$numberLong"])
        return instant_ms(value["$date"])
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = DATE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"not a date: {value!r}")
    year, month, day, hour, minute, second, ms = map(int, match.groups()[:7])
    days = datetime.date(year, month, day).toordinal() - EPOCH_ORDINAL
    seconds = days * 86_400 + hour * 3_600 + minute * 60 + second
    sign, offset_hours, offset_minutes = match.groups()[7:]
    if sign:
        offset = int(offset_hours) * 3_600 + int(offset_minutes) * 60
        seconds -= offset if sign == "+" else -offset
    return seconds * 1_000 + ms


def text(instant):
    date = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=instant)
    return date.isoformat(timespec="milliseconds") + "Z"


def department(event):
    value = event.get("departmentId")
    if value is not None and not isinstance(value, str):
        raise ValueError(f"not a department: {value!r}")
    return value


def apply(rooms, event):
    identity = event["_id"]
    kind = event["event"]
    if kind == "room-created":
        rooms[identity] = Room(instant_ms(event["ts"]), department(event), event.get("waitingResponse") is True)
    elif kind == "room-removed":
        rooms.pop(identity, None)
    elif kind == "room-updated":
        room = rooms.get(identity)
        if room is None:
            return
        if "ts" in event:
            room = room._replace(ts=instant_ms(event["ts"]))
        if "departmentId" in event:
            room = room._replace(department=department(event))
        if "waitingResponse" in event:
            room = room._replace(waiting=event["waitingResponse"] is True)
        rooms[identity] = room
    else:
        raise ValueError(f"not a native event: {kind!r}")


def read_rooms(path):
    rooms = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                apply(rooms, json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                sys.exit(f"recount: {path}, line {number}: {error}; this counts native events as make_events.py writes them")
    return rooms


class Rooms:
    """Rooms sorted by `ts`, to be counted between two instants, both included."""

    def __init__(self, rooms):
        ordered = sorted(rooms, key=lambda room: room.ts)
        self.instants = [room.ts for room in ordered]
        self.departments = [room.department for room in ordered]

    def rows(self, start, end):
        first = bisect.bisect_left(self.instants, start)
        last = bisect.bisect_right(self.instants, end)
        counted = collections.Counter(self.departments[first:last])
        return [{"rooms": counted[name], "_id": name} for name in sorted(counted, key=row_order)]


def row_order(name):
    return (name is not None, (name or "").encode())


def random_ranges(rng, instants, number):
    """Of every length, from a second to all: short ones are as likely as long ones."""
    first, last = instants[0] - 86_400_000, instants[-1] + 86_400_000
    for _ in range(number):
        length = int(1_000 * (max(2_000, last - first) / 1_000) ** rng.random())
        # Short ranges would mostly fall into the night: they are put about a room.
        middle = rng.choice(instants) if rng.random() < 0.7 else rng.randint(first, last)
        start = middle - rng.randint(0, length)
        yield start, start + length


def boundary_ranges(rng, instants, number):
    """Edges on a room's `ts` and one millisecond off, the whole span and one short of it at both
    ends, an empty range and one whose start is after its end."""
    yield instants[0], instants[-1]
    yield instants[0] + 1, instants[-1] - 1
    yield instants[0] - 10, instants[0] - 1
    yield instants[-1], instants[0] - 1
    shared = [one for one, next_one in zip(instants, instants[1:]) if one == next_one]
    for place in range(number):
        # Every second one about a millisecond that several rooms share, if there is any.
        instant = rng.choice(shared if shared and place % 2 else instants)
        # The other edge near by, but for every fourth.
        near = bisect.bisect_left(instants, instant) + rng.randint(-500, 500)
        other = instants[max(0, min(near, len(instants) - 1))] if place % 4 else rng.choice(instants)
        low, high = min(instant, other), max(instant, other)
        yield instant, instant
        for edge in EDGES:
            yield low + edge, high + rng.choice(EDGES)
            yield low + rng.choice(EDGES), high + edge


def arguments():
    parser = argparse.ArgumentParser(description="Prints the expected answers for a file of native events.")
    parser.add_argument("file")
    parser.add_argument("--ranges", type=int, default=20, help="random ranges (default %(default)s)")
    parser.add_argument("--boundaries", type=int, default=4, help="rooms whose ts edges lie on, seven ranges each (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same ranges (default %(default)s)")
    return parser.parse_args()


def main():
    chosen = arguments()
    rooms = list(read_rooms(chosen.file).values())
    if not rooms:
        sys.exit(f"recount: {chosen.file} leaves no room to count; give a file with more events")
    by_answered = {
        None: Rooms(rooms),
        "true": Rooms(room for room in rooms if not room.waiting),
        "false": Rooms(room for room in rooms if room.waiting),
    }
    rng = random.Random(chosen.seed)
    instants = by_answered[None].instants
    ranges = [*random_ranges(rng, instants, chosen.ranges), *boundary_ranges(rng, instants, chosen.boundaries)]
    for start, end in ranges:
        for answered, counted in by_answered.items():
            expected = {"start": text(start), "end": text(end), "answered": answered, "departments": counted.rows(start, end)}
            print(json.dumps(expected, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
