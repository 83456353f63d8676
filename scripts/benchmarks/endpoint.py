"""Requests a second over HTTP on connections that are kept, beside a server of the same make that answers a
constant of the same length: same client, same connections, turn by turn."""

from .figures import Figure, Goal, Table, demand, judged
from .service import Service

TITLE = "The endpoint"
SECONDS = 5
CONNECTIONS = 32
# What, topic, rooms, departments, further parameters, goal.
CASES = (
    ("11 departments", "eleven", 1_000_000, 11, "", Goal("at least 0.9 ×", 0.9)),
    ("1,000 departments, `count=0`", "native", 10_000_000, 1_000, "&count=0", Goal("at least 0.6 ×", 0.6)),
)


def run(rig):
    rows = [measure(rig, *case) for case in CASES]
    notes = [f"{CONNECTIONS} connections, ranges between two random instants of the year, another one each time; users by token."]
    return Table("constant", rows, notes)


def measure(rig, what, topic, rooms, departments, further, goal):
    service = Service(rig, rig.topic(topic, rig.of(rooms), departments=departments))
    service.ready()
    length = int(asked(rig, service.address, further, 1)["body_bytes"])
    address = f"127.0.0.1:{rig.port + 3}"
    constant = rig.start("constant_server", "--address", address, "--length", length)
    demand(constant.line() == "listening", "the constant server does not listen")
    rig.say(f"  {what}: {length} bytes")
    ours, theirs = [], []
    for _ in rig.each_round():
        for found, one in ((ours, service.address), (theirs, address)):
            answered = asked(rig, one, further, rig.seconds(SECONDS))
            found.append(answered["answers"] / answered["seconds"])
    service.end()
    constant.end()
    ours, theirs = Figure(ours, "/s"), Figure(theirs, "/s")
    return judged(f"{what}, {rig.of(rooms)} rooms, {length} bytes", ours, theirs, ours.over(theirs), goal)


def asked(rig, address, further, seconds):
    options = ["--further", further] if further else []
    return rig.values("requests", "--address", address, "--connections", CONNECTIONS, *options, seconds=seconds)
