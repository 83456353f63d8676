"""Answers over HTTP while events pour in at full speed, a thousand questions a second by a fixed schedule, beside
the same service when it is idle; and what the questions cost the counting.

A service that starts answers 503 until it has read the topic, so it is made ready first. Then its process is
stopped (SIGSTOP), as many new rooms are put into the topic as a turn takes, and it goes on (SIGCONT): what it
reads then comes as fast as the broker gives it, from a log that lies ready, with no producer beside it that
would take a core away and set the pace. It stays ready all the while."""

import os
import signal
import time

from .figures import Figure, Goal, Table, demand, judged
from .rig import values
from .service import Service

TITLE = "Answers while events pour in"
FIRST, EACH = 10_000_000, 4_000_000
IDLE_SECONDS = 5
RATE = 1_000
# The pace is taken from here to the end of a turn: before that the client finds its connections dead.
BEGINS_AT = 0.1


def run(rig):
    rooms = rig.of(FIRST) + rig.rounds * 2 * rig.of(EACH)
    topic = rig.topic("pouring", rig.of(FIRST), rooms=rooms)
    service = Service(rig, topic)
    service.ready()
    idle, busy, asked, unasked = [], [], [], []
    poured = rig.of(FIRST)
    for number in rig.each_round():
        idle.append(Questions(rig, service).until(rig.seconds(IDLE_SECONDS)))
        # Who is first changes from round to round, since rooms become more.
        for is_asked in (True, False) if number % 2 else (False, True):
            turn = Turn(rig, service, poured, rooms)
            poured += turn.records
            questions = Questions(rig, service) if is_asked else None
            (asked if is_asked else unasked).append(turn.pace())
            if questions:
                busy.append(questions.end())
    service.has_rooms(rooms)
    service.end()
    rig.forget(topic)
    return table(idle, busy, Figure(asked, "/s"), Figure(unasked, "/s"), rig.of(EACH))


class Questions:
    """Come by their schedule until they are ended."""

    def __init__(self, rig, service):
        self.program = rig.start("requests", "--address", service.address, "--rate", RATE)

    def until(self, seconds):
        time.sleep(seconds)
        return self.end()

    def end(self):
        return values(self.program.finish())


class Turn:
    """New rooms that lie ready when the service goes on."""

    def __init__(self, rig, service, first, rooms):
        self.service, self.records = service, rig.of(EACH)
        self.begin = service.position()
        os.kill(service.pid, signal.SIGSTOP)
        try:
            rig.fill("pouring", self.records, first=first, rooms=rooms)
        finally:
            os.kill(service.pid, signal.SIGCONT)
        self.begun = time.monotonic()

    def pace(self):
        """Waits until all are counted; records a second."""
        self.reached(BEGINS_AT)
        position, end = self.service.position(), self.begin + self.records
        # So few may be counted at once, in a short form.
        if position < end:
            self.begin, self.records, self.begun = position, end - position, time.monotonic()
        self.reached(1)
        seconds = time.monotonic() - self.begun
        demand(self.service.health()["ready"], "the service is not ready any more")
        return self.records / seconds

    def reached(self, share):
        target = self.begin + self.records * share
        self.service.until("counting", lambda: self.service.position() >= target)


def table(idle, busy, asked, unasked, each):
    wait = lambda found, name: Figure([one[name] for one in found], "s", more_is_better=False)
    p99 = wait(busy, "p99")
    loss = Figure([100 * (1 - with_ / without) for with_, without in zip(asked.values, unasked.values)], "%", more_is_better=False)
    count = sum(one["answers"] for one in busy)
    rows = [
        judged("p99 of a thousand questions a second", p99, wait(idle, "p99"), p99, Goal("at most 5 ms", at_most=5e-3)),
        judged("what the counting loses to them", asked, unasked, loss, Goal("at most 10 %", at_most=10)),
    ]
    notes = [
        f"1,000 departments, ranges between two random instants of the year; {each} new rooms a turn, {count:.0f} questions in "
        f"all while they poured in. p50: {wait(busy, 'p50')}, idle {wait(idle, 'p50')}. Longest: {wait(busy, 'max')}, idle {wait(idle, 'max')}."
    ]
    return Table("itself idle, or unasked", rows, notes)
