"""What the payloads of all vendors have in common: they come from strangers, and are read with suspicion."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from defib.errors import InputError

_MOST_ERRORS = 3


class Payload(BaseModel):
    """Of what a vendor sends, the part that is needed; it may add to the rest as it likes."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


Read = TypeVar("Read", bound=Payload)


def read_json(kind: type[Read], body: bytes | str, vendor: str) -> Read:
    """The payload; :class:`InputError` that names the fields, and repeats nothing of what a stranger sent."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        wrong = [f"{'.'.join(str(part) for part in each['loc']) or 'the body'}: {each['msg']}" for each in error.errors()]
        raise InputError(
            f"this is not what {vendor} sends", expected=", ".join(kind.model_fields), seen="; ".join(wrong[:_MOST_ERRORS])
        ) from None


def moment(seconds: float | None) -> datetime | None:
    """A time as vendors write it, in seconds since 1970; None for what is none."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
