"""Owns everything that a run starts, and its end: one Kafka, topics that are filled once, and programs.
Invariant: however the run ends, nothing that it started goes on and nothing that it wrote is left, apart
from what is built or fetched once."""

import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from .figures import demand

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
KAFKA = REPOSITORY / "scripts" / "kafka"
BENCHES = ["answers", "bare_client", "constant_server", "make_topic", "requests", "visible"]
STOP_SECONDS_MAX = 60
LEAST_RECORDS = 1_000


class Program:
    """A program that was started; what it says on its standard error is kept."""

    def __init__(self, rig, name, command, **how):
        self.name = name
        self.was_ended = False
        self.log = rig.work / f"{name}-{len(rig.programs)}.log"
        with open(self.log, "wb") as log:
            self.begun = time.monotonic()
            how.setdefault("stderr", log)
            # A Ctrl-C is for this program alone, which ends the others in its own order.
            self.process = subprocess.Popen(
                list(map(str, command)), text=True, stdout=subprocess.PIPE, process_group=0, **how
            )
        rig.programs.append(self)

    def line(self):
        """The next line of its standard output."""
        line = self.process.stdout.readline()
        demand(line, f"{self.name} ended: {self.last_words()}")
        return line.rstrip("\n")

    def elapsed(self):
        """Seconds since it was started."""
        return time.monotonic() - self.begun

    def tell(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            demand(False, f"{self.name} ended: {self.last_words()}")

    def finish(self):
        """Ends its standard input and waits; what it has printed meanwhile."""
        printed, _ = self.process.communicate()
        demand(self.process.returncode == 0, f"{self.name} failed: {self.last_words()}")
        return printed

    def last_words(self):
        return self.log.read_text(errors="replace")[-2000:].strip() or f"exit status {self.process.poll()}"

    def end(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.was_ended = True
            self.process.send_signal(number)
            if number != signal.SIGKILL:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(STOP_SECONDS_MAX)
                    return
                self.process.kill()
            self.process.wait()


class Rig:
    def __init__(self, arguments):
        self.rounds, self.scale, self.port = arguments.rounds, arguments.scale, arguments.port
        self.is_short = arguments.scale != 1
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="roomtally-bench."))
        self.programs = []
        self.servers = f"127.0.0.1:{self.port}"

    def of(self, records):
        """So many, or fewer in a short form; an even number, for envelopes come in pairs."""
        return max(int(records * self.scale) // 2 * 2, LEAST_RECORDS)

    def seconds(self, seconds):
        return max(seconds * min(self.scale * 10, 1), 0.5)

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def each_round(self):
        for number in range(self.rounds):
            self.say(f"  round {number + 1} of {self.rounds}")
            yield number

    @functools.cached_property
    def binaries(self):
        """The paths of what is measured."""
        return self.build("--bin=roomtally", *(f"--bench={name}" for name in BENCHES))

    def build(self, *targets):
        """Builds as it is shipped, or quickly for a short form; paths by name."""
        self.say("building")
        profile = "release" if self.is_short else "dist"
        command = ["cargo", "build", "--profile", profile, "--locked", "--message-format=json-render-diagnostics", *targets]
        built = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        demand(built.returncode == 0, "the build failed")
        messages = map(json.loads, built.stdout.splitlines())
        return {message["target"]["name"]: message["executable"] for message in messages if message.get("executable")}

    def start(self, name, *arguments, **how):
        how.setdefault("stdin", subprocess.PIPE)
        return Program(self, name, [self.binaries[name], *arguments], **how)

    def run(self, name, *arguments):
        """Runs a program to its end; what it printed."""
        return self.start(name, *arguments).finish()

    def values(self, name, *arguments, seconds):
        """Runs a program that goes on until its input ends, and reads the `name value` lines it prints."""
        program = self.start(name, *arguments)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.process.wait(seconds)
        return values(program.finish())

    # --- Kafka

    def kafka(self, *arguments, check=True):
        done = subprocess.run([KAFKA, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, process_group=0)
        demand(not check or done.returncode == 0, f"scripts/kafka {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    @functools.cached_property
    def broker(self):
        """Starts the broker when it is first wanted; its directory."""
        self.say("starting Kafka")
        directory = self.work / "kafka"
        self.kafka("start", "--port", str(self.port), "--dir", directory)
        return directory

    @functools.cached_property
    def topics(self):
        return {}

    def topic(self, name, records, partitions=1, **how):
        """A topic of this name with so many records, filled when it is first wanted."""
        if name not in self.topics:
            self.create(name, partitions)
            self.fill(name, records, **how)
            self.topics[name] = records
        return name

    def create(self, name, partitions=1):
        self.broker
        settings = ["--partitions", str(partitions), "--config", "retention.ms=-1", "--port", str(self.port)]
        self.kafka("topic", "create", name, *settings)

    def fill(self, name, records, **how):
        self.say(f"  filling {name}: {records} records")
        options = ["--bootstrap-servers", self.servers, "--topic", name, "--records", records]
        for option, value in how.items():
            options += [f"--{option}"] if value is True else [f"--{option}", value]
        self.say("  " + self.run("make_topic", *options).strip())

    def forget(self, name):
        """Gives back the disk of a topic that no other section reads."""
        del self.topics[name]
        self.kafka("topic", "delete", name, "--port", str(self.port))

    def fallen(self):
        """Which programs have ended badly and by themselves."""
        ended = [(program.name, program.process.poll()) for program in self.programs if not program.was_ended]
        return ", ".join(f"{name} with status {status}" for name, status in ended if status)

    def end(self):
        for program in reversed(self.programs):
            program.end()
        if "broker" in self.__dict__ or (self.work / "kafka").exists():
            self.kafka("stop", "--dir", self.work / "kafka", "--delete", check=False)
        shutil.rmtree(self.work, ignore_errors=True)


def values(text):
    """`name value` lines."""
    found = dict(line.split() for line in text.splitlines())
    return {name: float(value) for name, value in found.items()}


def plain(text):
    """A log line without its colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def cache():
    """Where what is fetched once is kept, as scripts/kafka does."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "roomtally"
