"""octodns-sync as a peer: a process that makes Route 53 hold what a folder of zone files says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from defib.ports import RecordSet
from defib.providers.aws import AwsAccess

NAME = "octodns-sync"

_OWN = Path(__file__).resolve().parents[1] / "build" / "peers" / "bin" / NAME
_PATIENCE = 120
"""Seconds for one run."""


def find() -> Path | None:
    """Where it is: as ``make peers`` installs it, else on the PATH."""
    found = str(_OWN) if _OWN.is_file() else shutil.which(NAME)
    return Path(found) if found else None


class Octodns:
    """One zone, and the two contents that it is to be given in turn, in a folder of their own."""

    def __init__(self, program: Path, folder: Path, zone: str, access: AwsAccess) -> None:
        self._program, self._folder, self._zone, self._access = program, folder, zone, access

    def prepare(self, name: str, content: Iterable[RecordSet]) -> None:
        """Write the zone file and the configuration under which `content` is what should be."""
        folder = self._folder / name
        folder.mkdir(parents=True)
        (folder / f"{self._zone}yaml").write_text(json.dumps(self._tree(content)), encoding="utf-8")
        config = {
            "providers": {
                "files": {
                    "class": "octodns.provider.yaml.YamlProvider",
                    "directory": str(folder),
                    "enforce_order": False,
                },
                "route53": {
                    "class": "octodns_route53.Route53Provider",
                    "access_key_id": "env/AWS_ACCESS_KEY_ID",
                    "secret_access_key": "env/AWS_SECRET_ACCESS_KEY",
                },
            },
            "zones": {self._zone: {"sources": ["files"], "targets": ["route53"]}},
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    def sync(self, name: str) -> str:
        """Make it so; "" where it ended well, else what it said."""
        config = self._folder / name / "config.json"
        command = [str(self._program), "--config-file", str(config), "--doit", "--quiet"]
        ended = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        said = (ended.stderr.strip() or ended.stdout.strip()).splitlines()
        return "" if ended.returncode == 0 else f"exit {ended.returncode}: {said[-1] if said else 'no word'}"

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._folder),
            "AWS_ENDPOINT_URL_ROUTE_53": self._access.endpoint,
            "AWS_ACCESS_KEY_ID": self._access.access_key,
            "AWS_SECRET_ACCESS_KEY": self._access.secret_key,
            "AWS_DEFAULT_REGION": self._access.region,
        }

    def _tree(self, content: Iterable[RecordSet]) -> dict[str, object]:
        """The content as octoDNS's zone files have it; JSON is YAML."""
        return {
            each.key.name.removesuffix(f".{self._zone}"): {
                "type": each.key.type,
                "ttl": int(each.ttl.total_seconds()),
                **({"value": each.values[0]} if each.key.type == "CNAME" else {"values": list(each.values)}),
            }
            for each in content
        }
