"""The environment that a build runs in: closed, so that it neither sees what is ours nor depends on where it runs.

This keeps what is ours from being handed over, and from being printed by accident; it is no sandbox. A build runs as the
user that Defib runs as and can read whatever that user can: build only what you would run.

Nothing of our own environment is in it: no token, no ``AWS_…``, no proxy. Where a registry is reached through a proxy, the
site file's command says so (``[env, HTTPS_PROXY=…, flutter, build, web]``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from defib.building.built import Checkout


def build_environment(checkout: Checkout, folders: Sequence[str], home: Path, own: Path) -> dict[str, str]:
    """What the command sees: `folders` (of the site file, relative to `home`) before ``PATH``, `own` as its ``HOME``.

    ``SOURCE_DATE_EPOCH`` is the commit's time (https://reproducible-builds.org/specs/source-date-epoch/), and
    ``DEFIB_COMMIT`` and ``DEFIB_COMMITTED`` (ISO 8601, in UTC) are what a build marker is made of.
    """
    committed = checkout.committed.astimezone(UTC).replace(microsecond=0)
    return {
        "PATH": os.pathsep.join([*(str(home / folder) for folder in folders), os.environ.get("PATH", os.defpath)]),
        "HOME": str(own),
        "LANG": "C.UTF-8",
        "CI": "true",
        "SOURCE_DATE_EPOCH": str(int(committed.timestamp())),
        "DEFIB_COMMIT": checkout.commit,
        "DEFIB_COMMITTED": committed.isoformat().replace("+00:00", "Z"),
    }
