"""From Kafka's acknowledgement of an event to the first answer that counts it, in a steady stream of events."""

from .figures import Figure, Goal, Table, demand, judged
from .rig import LEAST_RECORDS, values
from .service import Service

TITLE = "From acknowledged to visible"
RATE, SAMPLES = 50_000, 1_000
# A stream that is slower than this measures something else.
RATE_MIN = 0.95


def run(rig):
    topic = rig.topic("visible", LEAST_RECORDS)
    service = Service(rig, topic)
    service.ready()
    found, first = [], LEAST_RECORDS
    for _ in rig.each_round():
        samples = max(int(SAMPLES * min(rig.scale * 10, 1)), 20)
        options = ["--bootstrap-servers", rig.servers, "--topic", topic, "--address", service.address]
        found.append(values(rig.run("visible", *options, "--rate", RATE, "--samples", samples, "--first", first)))
        first += int(found[-1]["records"])
        rate = found[-1]["records"] / found[-1]["seconds"]
        demand(rig.is_short or rate >= RATE * RATE_MIN, f"this machine produces only {rate:.0f} events a second")
    service.has_rooms(first)
    service.end()
    rig.forget(topic)
    rate = Figure([one["records"] / one["seconds"] for one in found], "/s")
    wait = lambda name: Figure([one[name] for one in found], "s", more_is_better=False)
    p50, p99 = wait("p50"), wait("p99")
    rows = [
        judged("p50", p50, "–", p50, Goal("at most 5 ms", at_most=5e-3)),
        judged("p99", p99, "–", p99, Goal("at most 20 ms", at_most=20e-3)),
    ]
    notes = [f"{rate} events, acks=all, linger.ms=1; {samples} sampled events a round, asked for over HTTP. Longest: {wait('max')}."]
    return Table("–", rows, notes)
