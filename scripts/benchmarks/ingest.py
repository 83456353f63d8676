"""From the start of the process to ready, beside Kafka's client that does nothing with a record."""

import shutil

from .figures import Figure, Goal, Row, Table, demand, judged
from .service import Service

TITLE = "Reading a topic"
HALF, AIM = Goal("at least 0.5 ×", 0.5), Goal("at least 0.5 ×, aim 0.7 ×", 0.5)
# Other sections go on with it.
SHARED = "native"
# Topic, what, records, rooms a record, how the topic is made, goal.
TOPICS = (
    (SHARED, "native events", 10_000_000, 1, {}, AIM),
    ("native-4-zstd", "the same, four partitions, zstd", 10_000_000, 1, {"partitions": 4, "compression": "zstd"}, HALF),
    ("envelopes", "change-capture envelopes", 2_000_000, 2, {"form": "envelope"}, AIM),
)


def run(rig):
    return Table(
        "bare client", [row for topic in TOPICS for row in measure(rig, *topic)],
        ["Records a second from the start of the process: roomtally's to ready, the client's to the last record."],
    )


def measure(rig, topic, what, records, per_room, how, goal):
    records = rig.of(records)
    rig.topic(topic, records, **how)
    rig.say(f"  {what}")
    ours, bare, defaults = [], [], []
    for _ in rig.each_round():
        ours.append(records / serve(rig, topic, records // per_room))
        bare.append(records / read(rig, topic, records))
        defaults.append(records / read(rig, topic, records, "--client-defaults"))
    if topic != SHARED:
        rig.forget(topic)
    ours, bare, defaults = (Figure(values, "/s") for values in (ours, bare, defaults))
    return [
        judged(f"{what}, {records} records", ours, bare, ours.over(bare), goal),
        Row("the same, the client with its own defaults", ours, defaults, ours.over(defaults)),
    ]


def serve(rig, topic, rooms):
    service = Service(rig, topic)
    seconds = service.ready()
    service.has_rooms(rooms)
    service.end()
    shutil.rmtree(service.data)
    return seconds


def read(rig, topic, records, *options):
    client = rig.start("bare_client", "--bootstrap-servers", rig.servers, "--topic", topic, *options)
    found, seconds = client.line(), client.elapsed()
    demand(found.startswith(f"{records} records"), f"the client read {found}, and not {records}")
    client.finish()
    return seconds
