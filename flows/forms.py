"""The parameters of flows that people start, as the form that Prefect's pages make of them: titles, descriptions, choices.

Choices of a site are those for which a deployment is made, so a form offers what its deployment is for. They stand in the
form alone, which the server keeps and checks; a worker elsewhere takes the name as it comes, and ``defib`` checks it there.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from flows.scheduled import desk

SITE = "DEFIB_SITE"
"""The site for which deployments are made; all that have a file here where it is not set."""


def shown(title: str, description: str, **more: JsonValue) -> FieldInfo:
    """A field under its title. Prefect puts its own title and description over those of a field, but not over these."""
    extra: JsonDict = {"title": title, "description": description, **more}
    field: FieldInfo = Field(json_schema_extra=extra)
    return field


def site_choices() -> list[JsonValue]:
    """The sites that a form offers."""
    chosen = os.environ.get(SITE)
    return [chosen] if chosen else [*desk().site_names()]


SiteChoice = Annotated[str, shown("Site", "The web property that is recovered.", enum=site_choices())]
RoundSite = Annotated[str, shown("Site", "The web property that is looked after.", enum=site_choices())]
ModeChoice = Annotated[
    Literal["incident", "rehearsal"],
    shown("Mode", "incident is the real thing; rehearsal is for the lab, and is refused anywhere else."),
]
Since = Annotated[
    datetime | None,
    shown("Out since", "When users first lost service. A running defib watch knows it; without either the RTO is unknown."),
]
CommitId = Annotated[
    str, shown("Commit", "The full id of the commit to build; left empty, the newest that descends from what users had.")
]
Forced = Annotated[
    bool, shown("Force", "Go on where a guard would refuse; the journal says so. The plan still waits for its approval.")
]
RunName = Annotated[str, shown("Run", "The recovery that is taken back: the name of its flow run, or its id in defib runs.")]
Remote = Annotated[str, shown("To the remote", "The mirror that is to be the source, by its name in the site file.")]
Repository = Annotated[str, shown("Repository", "Left empty, the one that the site is built from.")]
Moment = Annotated[datetime, shown("As it was at", "The last moment at which all was well.")]
PairName = Annotated[str, shown("Pair", "Which pair of buckets, where the site has several.")]
Prefix = Annotated[str, shown("Prefix", "Only the objects whose keys begin so.")]
SideChoice = Annotated[Literal["source", "replica"], shown("From", "Whose versions tell of the past.")]
Into = Annotated[str, shown("Into", "The replica, or a bucket of restore_into; left empty, into the source.")]
Ranges = Annotated[
    str,
    shown(
        "Ranges", "The deployment whose runs compare the parts, replication-range/NAME; left empty, this one does it all."
    ),
]
