"""Owns how a bench of criterion is run and what it leaves: one comparison is a group of two sides."""

import json
import os

from .figures import demand
from .rig import Program


def bench(rig, program, groups, **environment):
    """Measures these groups, each side once."""
    options = ["--quick"] if rig.is_short else []
    environment = os.environ | {"CRITERION_HOME": str(home(rig))} | environment
    Program(rig, "criterion", [program, "--bench", *options, "|".join(groups)], env=environment).finish()


def estimate(rig, group, side):
    """Seconds that one iteration takes."""
    path = home(rig) / group / side / "new" / "estimates.json"
    demand(path.exists(), f"criterion has left nothing of {group}, {side}")
    return json.loads(path.read_text())["median"]["point_estimate"] / 1e9


def home(rig):
    return rig.work / "criterion"
