"""Decoding on one core beside serde_json, as criterion measures it in benches/decoding.rs."""

import json
import os

from .figures import Figure, Goal, Table, demand, judged
from .rig import Program

TITLE = "Decoding, one core"
CASES = (("native", "native events", Goal("at least 1.5 ×", 1.5)), ("debezium", "change-capture envelopes", Goal("at least 2 ×", 2)))
# As benches/decoding.rs has it.
RECORDS = 4_096


def run(rig):
    program = rig.build("--bench=decoding")["decoding"]
    found = {name: ([], []) for name, _, _ in CASES}
    for _ in rig.each_round():
        bench(rig, program)
        for name, sides in found.items():
            for side, values in zip(("roomtally", "serde_json"), sides):
                values.append(RECORDS / estimate(rig, name, side))
    rows = []
    for name, what, goal in CASES:
        ours, theirs = (Figure(values, "/s") for values in found[name])
        rows.append(judged(what, ours, theirs, ours.over(theirs), goal))
    return Table("serde_json", rows, ["Records a second."])


def bench(rig, program):
    options = ["--quick"] if rig.is_short else []
    command = [program, "--bench", *options, "|".join(name for name, _, _ in CASES)]
    Program(rig, "decoding", command, env=os.environ | {"CRITERION_HOME": str(rig.work / "criterion")}).finish()


def estimate(rig, group, side):
    """Seconds that all records take."""
    path = rig.work / "criterion" / group / side / "new" / "estimates.json"
    demand(path.exists(), f"criterion has left nothing of {group}, {side}")
    return json.loads(path.read_text())["median"]["point_estimate"] / 1e9
