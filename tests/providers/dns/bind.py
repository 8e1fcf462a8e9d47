"""A BIND of our own on loopback: one zone, one TSIG key, gone afterwards."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from defib.clock import Deadline, SystemClock
from defib.ports import RecordSet
from tests.ports import free_port

ANYTHING = "update-policy {{ grant {key} zonesub ANY; }};"
"""What a key is allowed, unless a test says otherwise."""

_CONFIGURATION = """
options {{
    directory "{folder}";
    pid-file none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    notify no;
    dnssec-validation no;
    session-keyfile none;
}};
controls {{ }};
logging {{ category default {{ null; }}; }};
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
key "reader" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "{zone}" {{
    type primary;
    file "{folder}/zone";
    {policy}
    allow-transfer {{ key "{key}"; }};
}};
"""


def named() -> str:
    """The path of BIND's server, "" where it is not installed."""
    return shutil.which("named") or shutil.which("named", path="/usr/sbin:/usr/local/sbin") or ""


@contextmanager
def serve(
    folder: Path, zone: str, records: Iterable[RecordSet], key: str, secret: str, policy: str = ANYTHING
) -> Iterator[int]:
    """BIND with `zone` on 127.0.0.1, writable with the key as `policy` says; gives its port. The key `reader` may read."""
    lines = [f"{zone} 60 IN SOA ns.{zone} hostmaster.{zone} 1 7200 900 1209600 60", f"{zone} 60 IN NS ns.{zone}"]
    lines += [f"ns.{zone} 60 IN A 127.0.0.1"]
    for each in records:
        ttl = int(each.ttl.total_seconds())
        lines += [f"{each.key.name} {ttl} IN {each.key.type} {value}" for value in each.values]
    (folder / "zone").write_text("\n".join(lines) + "\n")
    port = free_port()
    configuration = folder / "named.conf"
    allowed = policy.format(key=key, zone=zone)
    told = _CONFIGURATION.format(folder=folder, port=port, key=key, secret=secret, zone=zone, policy=allowed)
    configuration.write_text(told)
    process = subprocess.Popen(
        [named(), "-f", "-n", "1", "-c", str(configuration), "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(process, port, zone)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, zone: str) -> None:
    clock = SystemClock()
    deadline = Deadline.after(clock, timedelta(seconds=60))
    while not deadline.expired():
        if process.poll() is not None:
            raise RuntimeError(f"named ended with {process.returncode}")
        try:
            dns.query.tcp(dns.message.make_query(zone, "SOA"), "127.0.0.1", port=port, timeout=1)
        except (OSError, EOFError, dns.exception.DNSException):
            clock.sleep(timedelta(milliseconds=10))
        else:
            return
    raise RuntimeError("named does not answer")
