"""Decoding on one core beside serde_json, as criterion measures it in benches/decoding.rs."""

import json
import subprocess

from .figures import Figure, Goal, Table, demand, judged
from .rig import REPOSITORY

TITLE = "Decoding, one core"
CASES = (("native", "native events", Goal("at least 1.5 ×", 1.5)), ("debezium", "change-capture envelopes", Goal("at least 2 ×", 2)))
# As benches/decoding.rs has it.
RECORDS = 4_096


def run(rig):
    found = {name: ([], []) for name, _, _ in CASES}
    for _ in rig.each_round():
        bench(rig)
        for name, sides in found.items():
            for side, values in zip(("roomtally", "serde_json"), sides):
                values.append(RECORDS / estimate(name, side))
    rows = []
    for name, what, goal in CASES:
        ours, theirs = (Figure(values, "/s") for values in found[name])
        rows.append(judged(what, ours, theirs, ours.over(theirs), goal))
    return Table("serde_json", rows, ["Records a second."])


def bench(rig):
    options = ["--quick"] if rig.is_short else []
    command = ["cargo", "bench", "--locked", "--bench", "decoding", "--", *options, "native|debezium"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    demand(done.returncode == 0, f"{' '.join(command)} failed: {done.stderr[-1000:]}")


def estimate(group, side):
    """Seconds that all records take."""
    path = REPOSITORY / "target" / "criterion" / group / side / "new" / "estimates.json"
    demand(path.exists(), f"criterion has left no {path.relative_to(REPOSITORY)}")
    return json.loads(path.read_text())["median"]["point_estimate"] / 1e9
