"""Owns one `roomtally serve`: exact counting with snapshots, as a user would run it. Invariant: a service
that ends by itself ends the run."""

import http.client
import json
import pathlib
import re
import signal
import threading
import time

from .figures import Failure, demand
from .rig import plain

# The public example of the documentation.
USER, TOKEN = "myuser-name", "myauth-token"
TOKEN_HASH = "zHYBkXDGIANAaNL2uuqRNheUXUXVNziPOC21LX/j5bY="
READY = "ready: every partition is read to its end"
POLL_SECONDS = 0.01
PATIENCE_SECONDS = 900


class Service:
    """Begins with nothing, or goes on with the data of an earlier one."""

    def __init__(self, rig, topic, data=None):
        self.address = f"127.0.0.1:{rig.port + 2}"
        number = len(rig.programs)
        self.data = data or rig.work / f"data-{number}"
        self.data.mkdir(exist_ok=True)
        config = rig.work / f"roomtally-{number}.toml"
        # As it is by default; a short form is not to wait for it.
        interval = "1s" if rig.is_short else "10s"
        config.write_text(
            f'[http]\nlisten = "{self.address}"\n[kafka]\nbootstrap_servers = "{rig.servers}"\ntopic = "{topic}"\n'
            f'[snapshot]\ndir = "{self.data}"\ninterval = "{interval}"\n'
            f'[[auth.users]]\nid = "{USER}"\ntoken_hash = "{TOKEN_HASH}"\npermissions = ["view-livechat-manager"]\n'
        )
        self.log, self.ready_at, self.connection = [], None, None
        self.is_ready = threading.Event()
        self.program = rig.start("roomtally", "serve", "--config", config, stderr=-1)
        threading.Thread(target=self.listen, daemon=True).start()

    @property
    def pid(self):
        return self.program.process.pid

    def listen(self):
        """Reads the log; the line that says ready is dated as it comes."""
        for line in self.program.process.stderr:
            if self.ready_at is None and READY in line:
                self.ready_at = time.monotonic()
                self.is_ready.set()
            self.log.append(plain(line))
        # Whoever waits learns that it has ended.
        self.is_ready.set()

    def ready(self):
        """Waits; how long it took from the start of the process."""
        self.is_ready.wait(PATIENCE_SECONDS)
        demand(self.ready_at, f"serve did not become ready: {''.join(self.log[-20:])}")
        return self.ready_at - self.program.begun

    def ask(self, path):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            self.connection.request("GET", path, headers={"X-User-Id": USER, "X-Auth-Token": TOKEN})
            return self.connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException) as error:
            self.connection = None
            demand(self.program.process.poll() is None, f"serve ended: {''.join(self.log[-20:])}")
            raise Failure(f"serve does not answer {path}: {error!r}") from error

    def health(self):
        return json.loads(self.ask("/health/ready"))

    def metric(self, name):
        found = re.search(rf"^{name} (\S+)$", self.ask("/metrics"), re.MULTILINE)
        demand(found, f"there is no metric {name}")
        return float(found[1])

    def until(self, what, condition):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            demand(time.monotonic() < deadline, f"{what} did not come in {PATIENCE_SECONDS} s")
            time.sleep(POLL_SECONDS)

    def position(self):
        return sum(partition["position"] for partition in self.health()["partitions"])

    def has_rooms(self, rooms):
        """Ends the run where not exactly these are counted."""
        found = self.metric("roomtally_rooms")
        demand(found == rooms, f"{found:.0f} rooms are counted, and not {rooms}")

    def resident(self):
        """Bytes of memory that the process has."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

    def end(self, number=signal.SIGKILL):
        self.program.end(number)
