"""How `git` reaches a remote over SSH: with one key, to one server, and by nobody's configuration."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_DEFAULT_PORT = 22
_OPTIONS = (
    ("BatchMode", "yes"),
    ("IdentitiesOnly", "yes"),
    ("IdentityAgent", "none"),
    ("StrictHostKeyChecking", "yes"),
    ("GlobalKnownHostsFile", os.devnull),
    ("UpdateHostKeys", "no"),
    ("ControlMaster", "no"),
    ("ForwardAgent", "no"),
    ("ClearAllForwardings", "yes"),
    ("PermitLocalCommand", "no"),
    ("ConnectTimeout", "10"),
    ("ServerAliveInterval", "10"),
    ("ServerAliveCountMax", "2"),
)


@dataclass(frozen=True)
class Ssh:
    """The server at `url`, its public key, and the private key to log in with, asked anew each time."""

    url: str
    host_key: str
    key: Callable[[], str]

    @contextmanager
    def opened(self) -> Iterator[Mapping[str, str]]:
        """What `git` needs in its environment; the key is in a file that only this user can read, while it lasts."""
        with tempfile.TemporaryDirectory(prefix="defib-ssh-") as name:
            key, known = Path(name) / "key", Path(name) / "known_hosts"
            _write(key, self.key().rstrip("\n") + "\n")
            _write(known, f"{self._host()} {self.host_key}\n")
            options = [part for name, value in _OPTIONS for part in ("-o", f"{name}={value}")]
            command = ["ssh", "-F", os.devnull, "-i", str(key), *options, "-o", f"UserKnownHostsFile={known}"]
            yield {"GIT_SSH_COMMAND": shlex.join(command), "GIT_SSH_VARIANT": "ssh"}

    def _host(self) -> str:
        """The server as known hosts name it (https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT)."""
        parts = urlsplit(self.url)
        port = parts.port or _DEFAULT_PORT
        return f"{parts.hostname}" if port == _DEFAULT_PORT else f"[{parts.hostname}]:{port}"


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
