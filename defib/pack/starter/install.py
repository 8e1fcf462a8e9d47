"""Installs the wheels of a pack into a virtual environment, with nothing but Python: no pip, no index, no network.

``python install.py PACK VENV``: does nothing where that was done before from the same pack. Every wheel is held against the
pack's list of checksums first.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

_USAGE = 2


def main(pack: Path, venv: Path) -> None:
    """Install, and leave a mark of which pack it was."""
    sums = (pack / "SHA256SUMS").read_text(encoding="utf-8")
    mark, digest = venv / "packed", hashlib.sha256(sums.encode()).hexdigest()
    if mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return
    wheels = _wheels(pack)
    known = {path: known for known, path in (line.split("  ", 1) for line in sums.splitlines())}
    for wheel in wheels:
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != known.get(wheel.relative_to(pack).as_posix()):
            _stop(f"{wheel} is not what was packed", "./verify, and take another copy of the pack")
    sys.stderr.write(f"installing {len(wheels)} wheels into {venv}, once\n")
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(venv)], check=True)  # noqa: S603 - itself
    library = next((venv / "lib").glob("python*/site-packages"))
    for wheel in wheels:
        _unpack(wheel, library, venv)
    mark.write_text(digest, encoding="utf-8")


def _wheels(pack: Path) -> list[Path]:
    here = f"{sys.platform}-{platform.machine()}-cp{sys.version_info.major}{sys.version_info.minor}"
    folder = pack / "wheels" / here
    if not folder.is_dir():
        there = ", ".join(sorted(each.name for each in (pack / "wheels").iterdir()))
        _stop(f"the pack has no wheels for {here}", f"PYTHON=/path/to/python ./defib with one of: {there}")
    return sorted(folder.glob("*.whl"))


def _unpack(wheel: Path, library: Path, venv: Path) -> None:
    """As https://packaging.python.org/en/latest/specifications/binary-distribution-format/ has it, but for commands."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            parts = PurePosixPath(entry.filename).parts
            if ".." in parts or entry.filename.startswith("/") or entry.is_dir():
                continue
            target = library.joinpath(*parts)
            if parts[0].endswith(".data"):
                roots = {"purelib": library, "platlib": library, "data": venv, "scripts": venv / "bin"}
                if parts[1] not in roots:
                    continue
                target = roots[parts[1]].joinpath(*parts[2:])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(entry))


def _stop(what: str, then: str) -> None:
    sys.stderr.write(f"error:    {what}\nnext:     {then}\n")
    raise SystemExit(_USAGE)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
