"""Answers in the process itself, for random ranges of a year, beside DuckDB on the same rooms and the same
ranges. Some of the answers are compared room by room, before any time is taken."""

import pathlib
import re
import subprocess
import sys

from .figures import Figure, Goal, Table, demand, judged
from .rig import REPOSITORY, Program, cache

TITLE = "Answers in the process"
DUCKDB = "2"
LARGE, SMALL, MIDDLE = 40_000_000, 1_000_000, 10_000_000
RANGES, DUCKDB_RANGES, COMPARED = 5_000, 20, 50


def run(rig):
    rooms = rig.work / "rooms.csv"
    sides = {size: filled(rig, size, rooms if size == MIDDLE else None) for size in (SMALL, MIDDLE, LARGE)}
    duckdb = Program(rig, "duckdb", [environment(rig), REPOSITORY / "scripts/benchmarks/duckdb_side.py", rooms], stdin=subprocess.PIPE)
    version = duckdb.line()
    compare(sides[MIDDLE], duckdb)
    waits = {size: ([], []) for size in sides}
    theirs, before = ([], []), interrupted(sides[MIDDLE])
    for number in rig.each_round():
        for size, side in sides.items():
            take(side, number * RANGES, RANGES, waits[size])
        take(duckdb, number * RANGES, DUCKDB_RANGES, theirs)
    times = interrupted(sides[MIDDLE]) - before
    for program in [*sides.values(), duckdb]:
        program.finish()
    shown = table(version, {size: rig.of(size) for size in sides}, waits, theirs)
    shown.notes.append(f"With {rig.of(MIDDLE)} rooms the thread was taken off its core {times} times in {rig.rounds * RANGES} answers.")
    return shown


def filled(rig, size, csv):
    side = rig.start("answers", "--ask", "--rooms", rig.of(size), *(["--csv", csv] if csv else []))
    demand(side.line() == "ready", "answers is not ready")
    return side


def interrupted(side):
    """How often another thread has taken its core: what waits meanwhile are the longest answers."""
    status = pathlib.Path(f"/proc/{side.process.pid}/status").read_text()
    return int(re.search(r"nonvoluntary_ctxt_switches:\s+(\d+)", status)[1])


def compare(ours, theirs):
    """Ends the run where the two sides do not answer the same."""
    for side in (ours, theirs):
        side.tell(f"rows 1000000 {COMPARED}")
    for _ in range(COMPARED):
        one, other = ours.line(), theirs.line()
        demand(one == other, f"the answers differ:\n  roomtally {one[:200]}\n  DuckDB    {other[:200]}")


def take(side, first, count, waits):
    side.tell(f"time {first} {count}")
    for nanoseconds, found in zip(side.line().split(), waits):
        found.append(int(nanoseconds) / 1e9)


def table(version, sizes, waits, theirs):
    figure = {size: [Figure(values, "s", more_is_better=False) for values in found] for size, found in waits.items()}
    duckdb = Figure(theirs[0], "s", more_is_better=False)
    (p50, p99), small, large = figure[MIDDLE], figure[SMALL], figure[LARGE]
    times = duckdb.over(p50)
    rows = [
        judged(f"{sizes[MIDDLE]} rooms, p50", p50, duckdb, p50, Goal("at most 12 µs", at_most=12e-6)),
        judged("the same, p99", p99, "–", p99, Goal("at most 30 µs", at_most=30e-6)),
        judged("how many times as fast, p50", p50, duckdb, times, Goal("at least 500 ×", 500)),
        judged(
            f"{sizes[LARGE]} rooms beside itself at {sizes[SMALL]}, p50", large[0], small[0], large[0].over(small[0]),
            Goal("at most 1.5 ×", at_most=1.5),
        ),
        judged("the same, p99", large[1], small[1], large[1].over(small[1]), Goal("at most 1.5 ×", at_most=1.5)),
    ]
    notes = [
        f"1,000 departments, ranges between two random instants of the year. {version} runs in a process of its own with all "
        "cores, on a table in memory in the order of creation, with departments as small numbers, and hands its rows to Python."
    ]
    return Table("the other side", rows, notes)


def environment(rig):
    """A Python with DuckDB, fetched once."""
    place = cache() / f"duckdb-{DUCKDB}"
    python = place / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import duckdb"], capture_output=True).returncode:
        rig.say(f"  getting DuckDB {DUCKDB} into {place}")
        for command in ([sys.executable, "-m", "venv", "--clear", place], [python, "-m", "pip", "install", "--quiet", f"duckdb=={DUCKDB}.*"]):
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
            demand(done.returncode == 0, f"{command[0]} failed: {(done.stderr or done.stdout)[-1000:]}")
    return python
