"""HAProxy's health checks, the peer in detection: https://docs.haproxy.org/2.6/configuration.html#5.2-check."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from benchmarks.commands import end
from benchmarks.figures import Sample
from benchmarks.victim import CONTAINS, NAME, PATIENCE, Strike, Surroundings
from defib.clock import Clock, Deadline
from defib.sites.site import Detection

MISSING = "is not installed (Debian: apt-get install haproxy)"

_REASONS = {
    "5xx": "code: 503",
    "wrong-page": "did not match",
    "hang": "timeout",
    "refuse": "Connection refused",
}

# Its read time-out is our probe deadline, which favours it: Debian's own configuration sets none, and then a check that
# hangs takes a whole interval.
_CONFIGURATION = """
global
    log {folder}/log.sock local0
defaults
    log global
    mode http
    timeout connect {deadline}ms
    timeout check {deadline}ms
    timeout client 5s
    timeout server 5s
frontend users
    bind unix@{folder}/users.sock
    default_backend site
backend site
    option httpchk
    option log-health-checks
    http-check send meth GET uri / ver HTTP/1.1 hdr Host {name}
    http-check expect status 200
    http-check expect string "{contains}"
    server victim {address}:{port} check check-ssl check-sni {name} verify required verifyhost {name} ca-file {ca} \
inter {interval}ms fall {fall} rise {rise}
"""


def installed() -> str | None:
    """Where the program is, None if it is nowhere. Debian installs it outside of a user's PATH."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")


class HaProxy:
    """One HAProxy with one backend of one server, started anew for each sample."""

    name = "HAProxy"

    def __init__(self, program: str, around: Surroundings, settings: Detection, clock: Clock) -> None:
        self._program = program
        self._around = around
        self._settings = settings
        self._clock = clock

    def version(self) -> str:
        """What the program says that it is."""
        said = subprocess.run([self._program, "-v"], capture_output=True, text=True, check=True, timeout=10).stdout
        return " ".join(said.split()[:3])

    def detect(self, strike: Strike) -> Sample:
        """Watch until the server is said to be down; from the fault to the word that reports it."""
        with tempfile.TemporaryDirectory(dir=self._around.folder) as name:
            folder = Path(name)
            configuration = folder / "haproxy.cfg"
            configuration.write_text(self._configured(folder), encoding="utf-8")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
                log.bind(str(folder / "log.sock"))
                process = subprocess.Popen(
                    [self._program, "-db", "-f", str(configuration)],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
                try:
                    return self._watch(log, strike)
                finally:
                    end(process)

    def _watch(self, log: socket.socket, strike: Strike) -> Sample:
        patience = Deadline.after(self._clock, 2 * PATIENCE)
        while not patience.expired():
            log.settimeout(max(patience.remaining().total_seconds(), 0.001))
            try:
                line = log.recv(65536).decode(errors="replace")
            except TimeoutError:
                break
            now = self._clock.monotonic()
            if "succeeded" in line and " UP" in line:
                strike.allow()
            elif "failed" in line and " DOWN" in line:  # the last of `fall` failures, logged with its reason
                if strike.at is None:
                    return Sample(None, "said down before the fault")
                if _REASONS[strike.fault] not in line:
                    reason = line.partition("reason: ")[2].partition(", check duration")[0]
                    return Sample(None, f"said down for another reason: {reason}")
                return Sample.took(now - strike.at)
        return Sample(None, "never said down")

    def _configured(self, folder: Path) -> str:
        victim, settings = self._around.victim, self._settings
        return _CONFIGURATION.format(
            folder=folder,
            deadline=round(settings.probe_deadline.total_seconds() * 1000),
            interval=round(settings.interval.total_seconds() * 1000),
            fall=settings.fall,
            rise=settings.rise,
            name=NAME,
            contains=CONTAINS,
            address=victim.address,
            port=victim.port,
            ca=self._around.folder / "ca.pem",
        )
