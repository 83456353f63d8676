"""DuckDB in the place of roomtally, in a process of its own, asked line by line as benches/answers.rs is: it
loads the rooms that were written there, draws the same ranges, and answers or takes the time."""

import sys
import time

import duckdb

BEGIN_MS, YEAR_MS = 1_735_689_600_000, 365 * 86_400_000
BITS = (1 << 64) - 1
WARM_UP = 3
QUESTION = "SELECT department, count(*) FROM rooms WHERE ts BETWEEN ? AND ? GROUP BY department"


def mixed(number):
    """As benches/rooms/mod.rs has it."""
    number = (number + 1) * 0x9E3779B97F4A7C15 & BITS
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & BITS
    number = (number ^ number >> 27) * 0x94D049BB133111EB & BITS
    return number ^ number >> 31


def ranges(first, count):
    instant = lambda dice: BEGIN_MS + mixed(dice) % YEAR_MS
    return [sorted((instant(number * 2 + 1), instant(number * 2 + 2))) for number in range(first, first + count)]


def main():
    database = duckdb.connect()
    database.execute(
        "CREATE TABLE rooms AS SELECT * FROM read_csv(?, header=false, columns={'ts': 'BIGINT', 'department': 'SMALLINT'})",
        [sys.argv[1]],
    )
    ask = lambda bounds: database.execute(QUESTION, bounds).fetchall()
    print(f"DuckDB {duckdb.__version__}", flush=True)
    for line in sys.stdin:
        word, first, count = line.split()
        asked = ranges(int(first), int(count))
        if word == "rows":
            for bounds in asked:
                rows = " ".join(f"{department}:{rooms}" for department, rooms in sorted(ask(bounds)))
                print(f"{bounds[0]} {bounds[1]} {rows}", flush=True)
        else:
            for bounds in ranges(int(first) + (1 << 40), WARM_UP):
                ask(bounds)
            waits = []
            for bounds in asked:
                begun = time.perf_counter_ns()
                ask(bounds)
                waits.append(time.perf_counter_ns() - begun)
            waits.sort()
            print(waits[(len(waits) * 50 + 99) // 100 - 1], waits[(len(waits) * 99 + 99) // 100 - 1], flush=True)


main()
