"""What was started, in ``$DEFIB_HOME/prefect/service.json``: where, and which processes for sure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from defib.errors import DefibError
from defib.processid import ProcessId
from flows.service.place import Place

FILE = "service.json"


@dataclass(frozen=True)
class Service:
    """Where it listens, whether it asks for a password, and its processes by what they are, in the order of their start."""

    place: Place
    asks: bool
    processes: dict[str, ProcessId] = field(default_factory=dict)

    @classmethod
    def wanted(cls, place: Place, asks: bool | None) -> Service:
        """What somebody wants; with None it asks for a password wherever others than this machine can reach it."""
        return cls(place, not place.is_loopback() if asks is None else asks)

    def alive(self, what: str) -> bool:
        """Whether that very process still runs."""
        return what in self.processes and self.processes[what].alive()

    def any_alive(self) -> bool:
        """Whether anything of it still runs."""
        return any(process.alive() for process in self.processes.values())

    def write(self, folder: Path) -> None:
        """Write it whole or not at all."""
        plain = {
            "host": self.place.host,
            "port": self.place.port,
            "asks": self.asks,
            "processes": {what: [process.pid, process.started] for what, process in self.processes.items()},
        }
        fresh = folder / f"{FILE}.new"
        fresh.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
        fresh.replace(folder / FILE)

    @staticmethod
    def remove(folder: Path) -> None:
        """Say that nothing is up. Idempotent."""
        (folder / FILE).unlink(missing_ok=True)

    @classmethod
    def read(cls, folder: Path) -> Service | None:
        """What stands there, None where there is nothing; a file that nobody can read is an error, never nothing."""
        path = folder / FILE
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            processes = {str(what): ProcessId(int(pid), str(at)) for what, (pid, at) in plain["processes"].items()}
            return cls(Place(str(plain["host"]), int(plain["port"])), bool(plain["asks"]), processes)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DefibError(
                "nobody can tell which processes of Prefect were started here",
                where=str(path),
                seen=f"{type(error).__name__}: {error}",
                then=f"end Prefect's server and worker by hand, then rm {path}",
            ) from error
