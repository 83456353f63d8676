"""Owns the tables of docs/benchmarks.md: each stands between two markers, with the machine, the versions and
the command that it comes from. Invariant: what stands outside of them is never changed."""

import os
import pathlib
import platform
import re
import subprocess
import time

from .figures import demand
from .rig import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "benchmarks.md"


def machine():
    """The processor, how many cores of it, and the memory."""
    processor = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.MULTILINE)
    name = processor[1].strip() if processor else platform.machine()
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} cores, {int(memory[1]) / 1024**2:.0f} GiB; Linux {platform.release().split('-')[0]}"


def versions():
    """Of the sources, and of what they are measured with."""
    run = lambda *command: subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
    commit = run("git", "rev-parse", "--short", "HEAD") or "unknown"
    changed = " with changes" if run("git", "status", "--porcelain", "--untracked-files=no", "--", "src", "benches", "Cargo.toml", "Cargo.lock") else ""
    kafka = re.search(r"<kafka\.version>(.*)</kafka\.version>", (REPOSITORY / "scripts" / "kafka.pom.xml").read_text())[1]
    locked = (REPOSITORY / "Cargo.lock").read_text()
    client = re.search(r'name = "rdkafka-sys"\nversion = "([^"]+)"', locked)[1]
    rust = run("rustc", "--version").split()[1]
    return f"roomtally {commit}{changed}, Rust {rust}, Apache Kafka {kafka}, rdkafka-sys {client}"


def block(command, lines, rounds):
    """A section as it stands in the document."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    caption = f"{machine()}. {versions()}. Median (worst to best) of {rounds} rounds, {day}."
    return "\n".join([f"`{command}`", "", *lines, "", caption])


def write(name, text):
    """Puts a section's new text between its markers."""
    document = DOCUMENT.read_text()
    begin, end = f"<!-- {name}: written by scripts/bench -->", f"<!-- {name}: end -->"
    demand(document.count(begin) == 1 and document.count(end) == 1, f"{DOCUMENT.name} has no place for {name}: {begin} … {end}")
    before, after = document.split(begin)[0], document.split(end)[1]
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}")
