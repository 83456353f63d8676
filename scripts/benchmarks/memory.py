"""What a room takes: the resident size of two services that have counted, and kept in a snapshot, 10 and
40 million rooms."""

import datetime
import shutil

from .figures import Figure, Goal, Table, judged
from .service import Service

TITLE = "Memory"
SMALL, LARGE = 10_000_000, 40_000_000


def run(rig):
    small, large = rig.of(SMALL), rig.of(LARGE)
    topics = ((rig.topic("native", small), small), (rig.topic("large", large), large))
    sizes = {small: [], large: []}
    for _ in rig.each_round():
        for topic, rooms in topics:
            sizes[rooms].append(resident(rig, topic, rooms))
    rig.forget("large")
    rooms = [(more - less) / (large - small) for less, more in zip(sizes[small], sizes[large])]
    figure = Figure(rooms, "bytes", more_is_better=False)
    mebibytes = [Figure([size / 2**20 for size in found], "MiB", more_is_better=False) for found in sizes.values()]
    row = judged("bytes a room, 17-letter ids", mebibytes[1], mebibytes[0], figure, Goal("at most 40, aim 32", at_most=40))
    return Table(f"itself with {small} rooms", [row], [f"{large} rooms beside {small}: the difference of the resident sizes over that of the rooms."])


def resident(rig, topic, rooms):
    service = Service(rig, topic)
    service.ready()
    service.has_rooms(rooms)
    now = datetime.datetime.now(datetime.timezone.utc)
    service.until("the snapshot of all rooms", lambda: written_after(service.health()["snapshot"], now))
    size = service.resident()
    service.end()
    shutil.rmtree(service.data)
    return size


def written_after(snapshot, instant):
    written = snapshot.get("written_at")
    return written is not None and datetime.datetime.fromisoformat(written.replace("Z", "+00:00")) > instant
