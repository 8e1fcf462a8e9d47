"""The parameters of flows that people start, as the form that Prefect's pages make of them: titles, descriptions, choices.

Choices of a site are those for which a deployment is made, so a form offers what its deployment is for. They stand in the
form alone, which the server keeps and checks; a worker elsewhere takes the name as it comes, and ``defib`` checks it there.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from flows.scheduled import desk

SITE = "DEFIB_SITE"
"""The site for which deployments are made; all that have a file here where it is not set."""


def site_choices() -> list[JsonValue]:
    """The sites that a form offers."""
    chosen = os.environ.get(SITE)
    return [chosen] if chosen else [*desk().site_names()]


SiteChoice = Annotated[
    str,
    Field(
        description="The web property that is recovered.",
        json_schema_extra={"title": "Site", "enum": site_choices()},
    ),
]
ModeChoice = Annotated[
    Literal["incident", "rehearsal"],
    Field(
        description="incident is the real thing; rehearsal is for the lab, and is refused anywhere else.",
        json_schema_extra={"title": "Mode"},
    ),
]
Since = Annotated[
    datetime | None,
    Field(
        description="When users first lost service. A running defib watch knows it; without either the RTO is unknown.",
        json_schema_extra={"title": "Out since"},
    ),
]
CommitId = Annotated[
    str,
    Field(
        description="The full id of the commit to build; left empty, the newest that descends from what users had.",
        json_schema_extra={"title": "Commit"},
    ),
]
Forced = Annotated[
    bool,
    Field(
        description="Go on where a guard would refuse. The journal says so. The plan still needs its approval.",
        json_schema_extra={"title": "Force"},
    ),
]
RaisedBy = Annotated[
    str,
    Field(
        description=(
            "The alert that started this, filled in by an automation: the plan then approves itself where the runbook says"
            " automatic. Leave it empty to be asked for your approval."
        ),
        json_schema_extra={"title": "Raised by"},
    ),
]
RunName = Annotated[
    str,
    Field(
        description="The recovery that is taken back: the name of its flow run, or its id in defib runs.",
        json_schema_extra={"title": "Run"},
    ),
]
Remote = Annotated[
    str,
    Field(
        description="The mirror that is to be the source, by its name in the site file.",
        json_schema_extra={"title": "To the remote"},
    ),
]
Repository = Annotated[
    str,
    Field(
        description="Which repository; left empty, the one that the site is built from.",
        json_schema_extra={"title": "Repository"},
    ),
]
Moment = Annotated[
    datetime,
    Field(description="The last moment at which all was well.", json_schema_extra={"title": "As it was at"}),
]
PairName = Annotated[
    str,
    Field(description="Which pair of buckets, where the site has several.", json_schema_extra={"title": "Pair"}),
]
Prefix = Annotated[
    str,
    Field(description="Only the objects whose keys begin so.", json_schema_extra={"title": "Prefix"}),
]
SideChoice = Annotated[
    Literal["source", "replica"],
    Field(description="Whose versions tell of the past.", json_schema_extra={"title": "From"}),
]
Into = Annotated[
    str,
    Field(
        description="Another bucket, of restore_into in the site file; left empty, into place.",
        json_schema_extra={"title": "Into"},
    ),
]
