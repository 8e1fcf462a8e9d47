"""``deploy/compose.yaml`` as compose reads it: env files, variables, anchors; and what it says of each service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[2] / "deploy"
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::([?-])([^}]*))?\})")


def env_file(path: Path) -> dict[str, str]:
    """The variables of an env file; what is neither one nor a comment is an error."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    assert all(equals and re.fullmatch(r"[A-Z_0-9]+", name) for name, equals, _ in pairs), path
    return {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class Composed:
    """The file with the variables that it is given, such as those of ``.env``."""

    variables: Mapping[str, str]

    @property
    def services(self) -> dict[str, Any]:
        """All services, without the variables in their place."""
        found: dict[str, Any] = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
        return found

    def command(self, name: str) -> list[str]:
        """What the service runs."""
        return [self._filled(str(word)) for word in self.services[name]["command"]]

    def environment(self, name: str) -> dict[str, str]:
        """What the service sees: its env files, and over them what stands in the file itself."""
        service = self.services[name]
        files = [each for each in service.get("env_file", ()) if isinstance(each, str)]
        found = {key: value for path in files for key, value in env_file(DEPLOY / path).items()}
        return found | {key: self._filled(str(value)) for key, value in service.get("environment", {}).items()}

    def _filled(self, text: str) -> str:
        """With its variables; one that must be there and is not, or is empty, is an error, as it is for compose."""

        def value(found: re.Match[str]) -> str:
            dollar, name, kind, default = found.groups()
            if dollar:
                return "$"
            given = self.variables.get(name, "")
            assert given or kind == "-", f"{name} is not set: {default}"
            return given or str(default)

        return _VARIABLE.sub(value, text)
