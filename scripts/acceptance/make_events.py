#!/usr/bin/env python3
"""Owns the events that the acceptance feeds to roomtally: native events as JSON lines, as a busy
livechat workspace would send them over five years.

The same seed, number and span give the same file. Rooms are created in the order of their `ts`;
what happens to a room comes after its creation, mostly soon, sometimes years later. Among the
events are those that a count gets wrong easily: repeats, late repeats of an old state, updates and
removals of rooms that are not known, rooms created again after their removal, many rooms in one
millisecond, ids that differ in case only, and dates in several spellings.
"""

import argparse
import datetime
import itertools
import json
import random
import sys
import uuid

# Rocket.Chat's alphabet for ids: digits and letters that are not mistaken for one another.
ID_LETTERS = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
DAY_MS = 86_400_000
NO_DEPARTMENT = "null"
# Departments whose names are traps: empty, words that look like "none", and texts that need
# escaping or sort differently by bytes than by UTF-16.
ODD_DEPARTMENTS = ["", "null", "undefined", "0", "a b", 'say "hi"', "back\\slash", "Kündigung", "\uffee", "\U0001f600"]
SHARES = {
    "create": 0.58,
    "transfer": 0.13,
    "waiting": 0.15,
    "repeat": 0.07,
    "late_repeat": 0.01,
    "remove": 0.035,
    "unknown": 0.01,
    "create_again": 0.005,
    "new_ts": 0.01,
}
RECENT_ROOMS = 4_000


def instant_ms(text):
    date = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)
    return int(date.timestamp()) * 1000


def rocketchat_id(rng):
    return "".join(rng.choices(ID_LETTERS, k=17))


def room_ids(rng):
    """Endless distinct ids: mostly Rocket.Chat's, some of other origin, a few that are the
    spelling of an earlier one in the other case."""
    seen = set()
    earlier = "ABCDEFabcdef23456"
    while True:
        form = rng.random()
        if form < 0.70:
            new = rocketchat_id(rng)
        elif form < 0.85:
            new = f"{rng.getrandbits(96):024x}"
        elif form < 0.985:
            new = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        elif form < 0.995:
            new = earlier.swapcase()
        else:
            new = f"import:{rng.randrange(10**9)}/visitor-{rng.randrange(10**12)}"
        if new not in seen:
            seen.add(new)
            earlier = new
            yield new


def departments(rng, number):
    """The departments as JSON, and how likely each is, as cumulative weights: few are large, most
    are small."""
    names = list(ODD_DEPARTMENTS)
    while len(names) < number - 1:
        names.append(rocketchat_id(rng) if rng.random() < 0.9 else f"{rng.getrandbits(96):024x}")
    rng.shuffle(names)
    texts = [NO_DEPARTMENT] + [json.dumps(name, ensure_ascii=rng.random() < 0.5) for name in names]
    weights = [1 / (place + 3) for place in range(len(texts))]
    return texts, list(itertools.accumulate(weights))


def creation_instants(rng, number, start_ms, end_ms):
    """Sorted: more from year to year, on working days and in office hours, with bursts of rooms
    that share a millisecond."""
    days = range((end_ms - start_ms + DAY_MS - 1) // DAY_MS)
    first_weekday = datetime.datetime.fromtimestamp(start_ms / 1000, datetime.timezone.utc).weekday()
    day_weights = [
        (1 + day / 600) * (1.0 if (first_weekday + day) % 7 < 5 else 0.3) * rng.uniform(0.6, 1.4) for day in days
    ]
    hour_weights = [2, 1, 1, 1, 1, 2, 4, 9, 16, 20, 21, 20, 16, 18, 20, 19, 17, 14, 12, 10, 8, 6, 4, 3]
    chosen_days = rng.choices(days, cum_weights=list(itertools.accumulate(day_weights)), k=number)
    chosen_hours = rng.choices(range(24), cum_weights=list(itertools.accumulate(hour_weights)), k=number)
    instants = []
    for day, hour in zip(chosen_days, chosen_hours):
        if instants and rng.random() < 0.01:
            instants.append(instants[-1])
            continue
        instant = start_ms + day * DAY_MS + hour * 3_600_000 + int(rng.random() * 3_600_000)
        instants.append(min(instant, end_ms - 1))
    # Both ends of the span are met.
    instants[:2] = [start_ms, end_ms - 1][: len(instants)]
    instants.sort()
    return instants


class Dates:
    """Instants as JSON: nearly all as Rocket.Chat writes them, some in each other accepted form."""

    def __init__(self, rng):
        self.rng = rng
        self.days = {}

    def json(self, instant):
        spelling = self.rng.random()
        if spelling < 0.97:
            return f'"{self.text(instant)}Z"'
        if spelling < 0.975:
            return str(instant)
        if spelling < 0.98:
            return f'{{"$date":{instant}}}'
        if spelling < 0.985:
            return f'{{"$date":{{"$numberLong":"{instant}"}}}}'
        if spelling < 0.99:
            return f'{{"$date":"{self.text(instant)}Z"}}'
        if spelling < 0.995:
            return f'"{self.text(instant + 7_200_000)}+02:00"'
        return f'"{self.text(instant)}999Z"'

    def text(self, instant):
        day, rest = divmod(instant, DAY_MS)
        date = self.days.get(day)
        if date is None:
            date = self.days[day] = (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()
        seconds, ms = divmod(rest, 1000)
        return f"{date}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"


class Workspace:
    """The rooms as they are now, and the event for each thing that happens to one."""

    def __init__(self, rng, department_texts, department_weights):
        self.rng = rng
        self.texts = department_texts
        self.weights = department_weights
        self.ids = room_ids(rng)
        self.dates = Dates(rng)
        self.rooms = []  # [id, instant, department, waiting, first line]
        self.removed = []
        self.last_line = None

    def department(self):
        return self.rng.choices(self.texts, cum_weights=self.weights)[0]

    def room(self):
        first = max(0, len(self.rooms) - RECENT_ROOMS) if self.rng.random() < 0.85 else 0
        return self.rooms[self.rng.randrange(first, len(self.rooms))]

    def created(self, room):
        identity, instant, department, waiting, _ = room
        line = f'{{"event":"room-created","_id":{json.dumps(identity)}'
        # None is said in both ways: a missing field and null.
        if department != NO_DEPARTMENT or self.rng.random() < 0.5:
            line += f',"departmentId":{department}'
        line += f',"ts":{self.dates.json(instant)}'
        if waiting:
            line += ',"waitingResponse":true'
        elif self.rng.random() < 0.02:
            line += ',"waitingResponse":false'
        return line + "}"

    def updated(self, identity, fields):
        return f'{{"event":"room-updated","_id":{json.dumps(identity)},{fields}}}'

    def create(self, instant):
        room = [next(self.ids), instant, self.department(), self.rng.random() < 0.8, None]
        room[4] = self.created(room)
        self.rooms.append(room)
        return room[4]

    def transfer(self):
        room = self.room()
        # Now and then the department is deleted, and the room has none.
        room[2] = self.department() if self.rng.random() < 0.95 else NO_DEPARTMENT
        return self.updated(room[0], f'"departmentId":{room[2]}')

    def waiting(self):
        room = self.room()
        room[3] = not room[3]
        word = "true" if room[3] else self.rng.choice(("false", "null"))
        return self.updated(room[0], f'"waitingResponse":{word}')

    def repeat(self):
        if self.rng.random() < 0.5:
            return self.last_line
        return self.created(self.room())

    def late_repeat(self):
        return self.room()[4]

    def remove(self):
        first = max(0, len(self.rooms) - RECENT_ROOMS)
        place = self.rng.randrange(first, len(self.rooms))
        self.rooms[place], self.rooms[-1] = self.rooms[-1], self.rooms[place]
        room = self.rooms.pop()
        self.removed.append(room)
        return f'{{"event":"room-removed","_id":{json.dumps(room[0])}}}'

    def unknown(self):
        identity = self.rng.choice(self.removed)[0] if self.removed and self.rng.random() < 0.7 else next(self.ids)
        if self.rng.random() < 0.4:
            return f'{{"event":"room-removed","_id":{json.dumps(identity)}}}'
        return self.updated(identity, f'"departmentId":{self.department()},"waitingResponse":true')

    def create_again(self):
        if not self.removed:
            return self.repeat()
        room = self.removed.pop(self.rng.randrange(len(self.removed)))
        room[2] = self.department()
        self.rooms.append(room)
        return self.created(room)

    def new_ts(self):
        room = self.room()
        room[1] = max(self.rooms[0][1], room[1] - self.rng.randrange(3_600_000))
        return self.updated(room[0], f'"ts":{self.dates.json(room[1])}')


def lines(rng, number, department_number, start_ms, end_ms):
    texts, weights = departments(rng, department_number)
    kinds = rng.choices(list(SHARES), weights=SHARES.values(), k=number)
    # What happens to rooms needs some to happen to.
    kinds[:50] = ["create"] * len(kinds[:50])
    instants = iter(creation_instants(rng, kinds.count("create"), start_ms, end_ms))
    workspace = Workspace(rng, texts, weights)
    for kind in kinds:
        if kind == "create" or not workspace.rooms:
            line = workspace.create(next(instants)) if kind == "create" else workspace.unknown()
        else:
            line = getattr(workspace, kind)()
        workspace.last_line = line
        yield line


def arguments():
    parser = argparse.ArgumentParser(description="Writes native events as JSON lines.")
    parser.add_argument("file", help="where to write; - is standard output")
    parser.add_argument("--events", type=int, default=1_000_000, help="how many (default %(default)s)")
    parser.add_argument("--departments", type=int, default=1_000, help="about how many, none among them (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same events (default %(default)s)")
    parser.add_argument("--start", default="2020-09-01", help="first ts, UTC (default %(default)s)")
    parser.add_argument("--end", default="2026-01-01", help="every ts is before it, UTC (default %(default)s)")
    chosen = parser.parse_args()
    if chosen.events < 1:
        parser.error("--events must be 1 or more")
    if chosen.departments <= len(ODD_DEPARTMENTS) + 1:
        parser.error(f"--departments must be more than {len(ODD_DEPARTMENTS) + 1}")
    try:
        chosen.start_ms, chosen.end_ms = instant_ms(chosen.start), instant_ms(chosen.end)
    except ValueError as error:
        parser.error(f"--start and --end are dates such as 2020-09-01: {error}")
    if chosen.end_ms - chosen.start_ms < DAY_MS:
        parser.error("--end must be a day or more after --start")
    return chosen


def main():
    chosen = arguments()
    out = sys.stdout if chosen.file == "-" else open(chosen.file, "w", encoding="utf-8")
    with out:
        for line in lines(random.Random(chosen.seed), chosen.events, chosen.departments, chosen.start_ms, chosen.end_ms):
            out.write(line + "\n")


if __name__ == "__main__":
    main()
