"""What a running lab writes down about itself, in ``$DEFIB_HOME/lab/lab.json``."""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from defib.errors import DefibError, LabDown, PortTaken
from defib.processid import ProcessId


@dataclass(frozen=True)
class LabState:
    """One lab that is up, or was when it last wrote."""

    net: str
    process: ProcessId
    eyewitness: ProcessId
    control_url: str
    started: datetime
    build: str

    def alive(self) -> bool:
        """Whether the lab's process still runs."""
        return self.process.alive()

    def write(self, folder: Path) -> None:
        """Write it whole or not at all."""
        plain = {
            "net": self.net,
            "pid": self.process.pid,
            "pid_started": self.process.started,
            "eyewitness_pid": self.eyewitness.pid,
            "eyewitness_pid_started": self.eyewitness.started,
            "control": self.control_url,
            "started": self.started.isoformat(),
            "build": self.build,
        }
        fresh = folder / "lab.json.new"
        fresh.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        fresh.replace(folder / "lab.json")

    @staticmethod
    def remove(folder: Path) -> None:
        """Say that no lab is up. Idempotent."""
        (folder / "lab.json").unlink(missing_ok=True)

    @classmethod
    def read(cls, folder: Path) -> LabState | None:
        """What stands there, None where there is nothing; :class:`LabDown` where it cannot be read."""
        file = folder / "lab.json"
        try:
            plain = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                net=plain["net"],
                process=ProcessId(plain["pid"], plain["pid_started"]),
                eyewitness=ProcessId(plain["eyewitness_pid"], plain["eyewitness_pid_started"]),
                control_url=plain["control"],
                started=datetime.fromisoformat(plain["started"]),
                build=plain["build"],
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabDown(
                "the state of the lab cannot be read",
                where=str(file),
                seen=f"{type(error).__name__}: {error}",
                then=f"end the lab's processes by hand, then remove {file}",
            ) from error


def port_taken(error: OSError) -> DefibError:
    """What a failure to listen means."""
    if error.errno == errno.EADDRINUSE:
        return PortTaken(
            "an address that the lab needs is in use",
            expected="a free address",
            seen=str(error),
            then="defib lab down, or choose another network for the lab (--net)",
        )
    return LabDown("the lab cannot listen", seen=str(error), then="choose another network for the lab (--net)")
