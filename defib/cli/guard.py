"""What becomes of a command: its exit code, or the one of its error, explained. Nothing is thrown at people."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import typer
from typer.exceptions import TyperException

from defib.errors import DefibError, InputError
from defib.redact import Redactor

CRASHED = 70
"""Exit code of a defect of Defib's own (EX_SOFTWARE)."""

STOPPED = 130
"""Exit code of a command that was stopped at the keyboard before a run began."""


def guarded(command: Callable[[], object], redact: Redactor, *, as_json: bool) -> int:
    """What `command` gives as exit code, or the one of the error that it raised, explained."""
    try:
        code = command()
    except typer.Exit as leaving:
        return leaving.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _ended_here({"error": "stopped at the keyboard"}, STOPPED, as_json=as_json)
    except (DefibError, TyperException) as error:
        return _explained(error, redact, as_json=as_json)
    except Exception as error:  # a defect of ours: one line for the person, the rest in a file
        text = f"a defect in Defib: {redact(f'{type(error).__name__}: {error}')}"
        return _ended_here({"error": text, "where": _crash_file(redact)}, CRASHED, as_json=as_json)
    return code if isinstance(code, int) else 0


def _explained(error: DefibError | TyperException, redact: Redactor, *, as_json: bool) -> int:
    from defib.cli.say import aside, explain  # noqa: PLC0415

    if isinstance(error, TyperException):
        if type(error).__name__ == "NoArgsIsHelpError":
            aside(_usage(error))
            return InputError.exit_code
        error = InputError(_usage(error), then=f"{_command_of(error)} --help")
    explain(error, redact, as_json=as_json)
    return error.exit_code


def _ended_here(parts: dict[str, str], code: int, *, as_json: bool) -> int:
    from defib.cli.say import say_json, tell_parts  # noqa: PLC0415

    if as_json:
        say_json({**parts, "exit_code": code})
    tell_parts(parts)
    return code


def _usage(error: TyperException) -> str:
    tell = getattr(error, "format_message", None)
    return str(tell() if tell else error)


def _command_of(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "defib"


def _crash_file(redact: Redactor) -> str:
    from defib.home import Home  # noqa: PLC0415

    text = redact(traceback.format_exc())
    try:
        path = Path(Home.open().path) / "crash.log"
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except (OSError, DefibError):
        sys.stderr.write(text)
        return "above"
    return str(path)
