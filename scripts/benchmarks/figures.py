"""Owns what becomes of measured values: the median of the rounds with the worst and the best of them, and
whether a goal is reached. Ratios are made round by round, from two sides that had their turns one after
the other, so that what slows the machine for a while slows both."""

import statistics
from typing import NamedTuple


class Failure(Exception):
    """What ends the run: an answer differs, or something that is measured has ended."""


def demand(condition, message):
    if not condition:
        raise Failure(message)


class Figure:
    """The values of all rounds of one thing."""

    def __init__(self, values, unit="", more_is_better=True):
        demand(values, "nothing was measured")
        self.values = list(values)
        self.unit = unit
        self.more_is_better = more_is_better

    @property
    def median(self):
        return statistics.median(self.values)

    def over(self, other):
        """How many times the other's, round by round."""
        return Figure([ours / theirs for ours, theirs in zip(self.values, other.values)], "×")

    def __str__(self):
        worst, best = min(self.values), max(self.values)
        if not self.more_is_better:
            worst, best = best, worst
        if len(self.values) == 1:
            return written(self.median, self.unit)
        bounds = [number(bound, self.unit, self.median) for bound in (worst, best)]
        return f"{written(self.median, self.unit)} ({' to '.join(bounds)})"


# What a unit is written with, and how much of the plain value is one of it.
SCALES = {
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "/s": ((1e6, "M/s"), (1e3, "k/s"), (1, "/s")),
}


def scale(value, unit):
    scales = SCALES.get(unit, ((1, unit),))
    return next((found for found in scales if abs(value) >= found[0]), scales[-1])


def number(value, unit, like=None):
    """In the unit that suits `like`, so that a range is written in one."""
    value /= scale(value if like is None else like, unit)[0]
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def written(value, unit):
    return f"{number(value, unit)} {scale(value, unit)[1]}".strip()


class Goal(NamedTuple):
    """A bound for the median of a figure, and how it is written."""

    text: str
    at_least: float = float("-inf")
    at_most: float = float("inf")

    def verdict(self, figure):
        return "reached" if self.at_least <= figure.median <= self.at_most else "**missed**"


class Row(NamedTuple):
    """One thing that was measured: ours, theirs, and what is judged of it."""

    what: str
    ours: object
    theirs: object = "–"
    result: object = "–"
    goal: object = "–"
    verdict: str = "–"


def judged(what, ours, theirs, result, goal):
    """A row whose result is held against its goal; a result that is ours itself is not told twice."""
    return Row(what, ours, theirs, "–" if result is ours else result, goal.text, goal.verdict(result))


class Table(NamedTuple):
    """A section's rows, and what stands below them."""

    against: str
    rows: list
    notes: list = []

    def lines(self, is_short):
        """In a short form nothing is judged."""
        head = ["what", "roomtally", self.against, "result", "goal", "verdict"]
        rows = [[str(cell) for cell in (row._replace(verdict="–") if is_short else row)] for row in self.rows]
        # A column that has nothing to say is left out.
        kept = [at for at in range(len(head)) if any(row[at] != "–" for row in rows)]
        line = lambda cells: "| " + " | ".join(cells[at] for at in kept) + " |"
        body = [line(head), "|" + "---|" * len(kept), *map(line, rows)]
        return body + ([""] + self.notes if self.notes else [])
