"""The command ``flutter`` that builds find in the lab: a script that runs the stand-in of :mod:`defib.lab.flutter`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import defib


def write_toolchain(folder: Path, registry: str) -> Path:
    """Write the script ``flutter`` into `folder` and give its path; packages come from `registry`. Idempotent.

    It takes nothing from the environment of whoever calls it, which is closed where a build is; nor from the folder that it
    is called in, where the sources of others are (``-P``).
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = Path(defib.__file__).resolve().parents[1]
    command = shlex.join([sys.executable, "-P", "-m", "defib.lab.flutter"])
    script = folder / "flutter"
    told = f"PYTHONPATH={shlex.quote(str(root))} PUB_HOSTED_URL={shlex.quote(registry)}"
    script.write_text(f'#!/bin/sh\n{told} exec {command} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return script
