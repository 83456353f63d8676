"""Decoding on one core beside serde_json, as criterion measures it in benches/decoding.rs."""

from .criterion import bench, estimate
from .figures import Figure, Goal, Table, judged

TITLE = "Decoding, one core"
CASES = (("native", "native events", Goal("at least 1.5 ×", 1.5)), ("debezium", "change-capture envelopes", Goal("at least 2 ×", 2)))
# As benches/decoding.rs has it.
RECORDS = 4_096


def run(rig):
    program = rig.build("--bench=decoding")["decoding"]
    found = {name: ([], []) for name, _, _ in CASES}
    for _ in rig.each_round():
        bench(rig, program, found)
        for name, sides in found.items():
            for side, values in zip(("roomtally", "serde_json"), sides):
                values.append(RECORDS / estimate(rig, name, side))
    rows = []
    for name, what, goal in CASES:
        ours, theirs = (Figure(values, "/s") for values in found[name])
        rows.append(judged(what, ours, theirs, ours.over(theirs), goal))
    return Table("serde_json", rows, ["Records a second."])
