"""Applying changes on one core beside the same table from a hash map of the standard library, as criterion
measures it in benches/applying.rs."""

from .criterion import bench, estimate
from .figures import Figure, Goal, Row, Table

TITLE = "Applying changes, one core"
ROOMS = 10_000_000
CASES = (
    ("unchanged", "known rooms, nothing different"),
    ("answered", "known rooms, answered or waiting again"),
    ("later", "new rooms, as time goes by"),
    ("any_time", "new rooms, at any instant of the year"),
)
GOAL = Goal("at least 5 M/s", at_least=5e6)
# As benches/applying.rs has it.
BATCH = 1_000


def run(rig):
    program = rig.build("--bench=applying")["applying"]
    found = {name: ([], []) for name, _ in CASES}
    for _ in rig.each_round():
        bench(rig, program, found, ROOMTALLY_ROOMS=str(rig.of(ROOMS)))
        for name, sides in found.items():
            for side, values in zip(("roomtally", "hash_map"), sides):
                values.append(BATCH / estimate(rig, name, side))
    return Table("hash map", [row(what, *found[name]) for name, what in CASES], [f"Changes a second, with {rig.of(ROOMS)} rooms in the table."])


def row(what, ours, theirs):
    """The goal is one for the changes a second themselves."""
    ours, theirs = Figure(ours, "/s"), Figure(theirs, "/s")
    return Row(what, ours, theirs, ours.over(theirs), GOAL.text, GOAL.verdict(ours))
