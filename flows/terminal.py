"""What the commands ``python -m flows.…`` have in common: the server that they are about, and how they say what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable

from prefect.settings import get_current_settings

from defib.errors import DefibError, InputError


def must_have_a_server() -> None:
    """:class:`InputError` where none is configured.

    Prefect would start one for the moment of the command, say that all is made, and keep it where nobody ever looks.
    """
    if not get_current_settings().api.url:
        raise InputError(
            "no Prefect server is configured",
            expected="PREFECT_API_URL, or PREFECT_HOME as make up says it",
            then="make up, then export PREFECT_HOME=$DEFIB_HOME/prefect",
        )


def ended(work: Callable[[], object]) -> int:
    """Do it, and give the exit code; what is wrong with it is told on stderr."""
    try:
        work()
    except DefibError as error:
        tell(error)
        return error.exit_code
    return 0


def tell(error: DefibError) -> None:
    """What is wrong, and what to do next."""
    sys.stderr.write("".join(f"{label + ':':<10}{text}\n" for label, text in error.parts().items()))
