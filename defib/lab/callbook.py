"""What AWS was asked in the lab, request by request, for whoever wants to know which permissions that takes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from defib.lab.strict.signature import region_of
from defib.lab.web import Request

VARIABLE = "DEFIB_LAB_CALLS"
"""Names a file in the environment of a lab; without it nothing is written."""

_TOLD = ("x-amz-target", "x-amz-copy-source", "x-amz-account-id")


class CallBook:
    """One JSON object a line: service, region, method, target, some headers; of S3's objects the body is left out."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @classmethod
    def of_environment(cls) -> CallBook:
        """The one that the environment names."""
        path = os.environ.get(VARIABLE, "")
        return cls(Path(path) if path else None)

    def write(self, request: Request, service: str) -> None:
        """Add a request of somebody whose keys were taken."""
        if self._path is None:
            return
        kept = service != "s3" or "delete" in request.query
        line = {
            "service": service,
            "region": region_of(request),
            "method": request.method,
            "target": request.target,
            "headers": {name: request.headers[name] for name in _TOLD if name in request.headers},
            "body": request.body.decode("utf-8", "replace") if kept else "",
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
