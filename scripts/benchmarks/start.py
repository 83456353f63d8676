"""A start that goes on from a snapshot, with nothing new in the topic behind it."""

import re
import signal

from .figures import Figure, Goal, Row, Table, demand, judged
from .service import Service

TITLE = "Start from a snapshot"
ROOMS = 10_000_000
LOADED = re.compile(r'going on from the last snapshot.*\brooms="?(\d+)"?.*\bseconds="?([\d.]+)"?')


def run(rig):
    rooms = rig.of(ROOMS)
    topic = rig.topic("native", rooms)
    service = Service(rig, topic)
    service.ready()
    service.end(signal.SIGTERM)
    started, loaded = [], []
    for _ in rig.each_round():
        service = Service(rig, topic, service.data)
        started.append(rooms / service.ready())
        service.has_rooms(rooms)
        loaded.append(rooms / load(service, rooms))
        service.end()
    started, loaded = Figure(started, "/s"), Figure(loaded, "/s")
    rows = [
        judged(f"{rooms} rooms, from the start of the process to ready", started, "–", started, Goal("at least 5 M/s", 5e6)),
        Row("the snapshot alone, as the service logs it", loaded),
    ]
    return Table("–", rows, ["Rooms a second."])


def load(service, rooms):
    """Seconds that the service says it took for the snapshot."""
    found = LOADED.search("".join(service.log))
    demand(found and int(found[1]) == rooms, f"the snapshot was not loaded: {''.join(service.log[-20:])}")
    return max(float(found[2]), 1e-3)
