"""What a token must be allowed at a vendor that is not AWS, in the vendor's own words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """What the token behind one reference needs for one thing of the site.

    `reading` is for plans and readiness, `acting` what a recovery needs besides. `note` says what the vendor does not let be
    narrowed. `source` is where the vendor names them.
    """

    vendor: str
    reference: str
    about: str
    reading: tuple[str, ...]
    acting: tuple[str, ...]
    source: str
    note: str = ""
