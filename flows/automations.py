"""The automations of ``automations/*.yaml`` brought to a Prefect server: made, changed, removed; nothing the second time.

``python -m flows.automations apply`` knows its own by the tag ``defib``; what others made is left alone. A file holds one
automation as Prefect's API has it (https://docs.prefect.io/v3/concepts/automations), but for two things that it cannot
know: ``deployment: FLOW/NAME`` instead of a deployment's id, and ``block: NAME`` instead of a webhook block's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
from prefect import get_client
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from pydantic import BaseModel, SecretStr, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from defib.alarms.addresses import OWN_SECRET, secret_of_addresses
from defib.errors import DefibError, InputError, Unavailable
from defib.home import Home
from defib.providers.secret import resolve
from flows.terminal import must_have_a_server, tell

TAG = "defib"
FOLDER = Path(__file__).parents[1] / "automations"

LISTEN = "defib-listen"
ESCALATION = "defib-escalation"

OWN_ADDRESS = "http://127.0.0.1:8650"

_MOST_SAID = 1000


class Deed(StrEnum):
    """What is, or would be, done about one automation."""

    MADE = "made"
    CHANGED = "changed"
    SAME = "the same"
    REMOVED = "removed"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Done:
    """One automation, and what was done about it and why."""

    name: str
    deed: Deed
    why: str = ""


@dataclass(frozen=True)
class Wanted:
    """One file: the automation in it, with names where the server wants ids."""

    path: Path
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.body["name"])

    @property
    def blocks(self) -> set[str]:
        """The names of the webhook blocks that it calls."""
        return {str(action["block"]) for action in self.body["actions"] if "block" in action}


def read(folder: Path) -> tuple[Wanted, ...]:
    """Every file of the folder; :class:`InputError` with its name for what is none, and for a name twice."""
    wanted = tuple(_read(path) for path in sorted(folder.glob("*.yaml")))
    if not wanted:
        raise InputError("there are no automations", where=str(folder), expected="files such as alarm-to-answer.yaml")
    names = [each.name for each in wanted]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError("two automations have the same name", where=str(folder), seen=repr(twice))
    return wanted


class Server:
    """The automations of one Prefect server. With `dry` nothing is changed, and everything else is as it would be."""

    def __init__(self, client: SyncPrefectClient, blocks: Mapping[str, str], *, dry: bool) -> None:
        self._client, self._blocks, self._dry = client, blocks, dry

    def apply(self, wanted: Sequence[Wanted]) -> tuple[Done, ...]:
        """Make the server's automations those of the files. Idempotent."""
        known = self._client.read_automations()
        ours = [each for each in known if TAG in each.tags]
        ids = self._ids({name for each in wanted for name in each.blocks})
        for file in wanted:
            self._must_be_right(file, ids)
        done = [self._one(each, known, ids) for each in wanted]
        kept = {each.name for each in done if each.deed is not Deed.LEFT_OUT}
        seen: set[str] = set()
        for each in ours:
            if each.name not in kept or each.name in seen:
                done.append(self._removed(each))
            seen.add(each.name)
        return tuple(done)

    def _must_be_right(self, wanted: Wanted, ids: Mapping[str, UUID]) -> None:
        """Refuse a file that is wrong before anything is done about another."""
        if wanted.blocks <= ids.keys():
            with suppress(ObjectNotFound):  # of a deployment; that is told when its turn comes
                self._resolved(wanted, ids)

    def _one(self, wanted: Wanted, known: Sequence[Automation], ids: Mapping[str, UUID]) -> Done:
        missing = wanted.blocks - ids.keys()
        if missing:
            return Done(wanted.name, Deed.LEFT_OUT, f"nobody said where {', '.join(sorted(missing))} is")
        try:
            core = self._resolved(wanted, ids)
        except ObjectNotFound:
            names = ", ".join(str(action["deployment"]) for action in wanted.body["actions"] if "deployment" in action)
            return Done(wanted.name, Deed.LEFT_OUT, f"there is no deployment {names}; deploy it, then apply again")
        same = [each for each in known if each.name == wanted.name]
        if any(TAG not in each.tags for each in same):
            return Done(wanted.name, Deed.LEFT_OUT, "somebody else has made one of that name")
        if same and _plain(same[0]) == _plain(core):
            return Done(wanted.name, Deed.SAME)
        if not self._dry:
            self._put(wanted, core, same[0].id if same else None)
        return Done(wanted.name, Deed.CHANGED if same else Deed.MADE)

    def _put(self, wanted: Wanted, core: AutomationCore, number: UUID | None) -> None:
        """Make it, or change the one of that id; the server looks at templates more closely than the client does."""
        try:
            if number is None:
                self._client.create_automation(core)
            else:
                self._client.update_automation(number, core)
        except PrefectHTTPStatusError as error:
            raise InputError(
                "Prefect refuses an automation", where=str(wanted.path), seen=error.response.text[:_MOST_SAID]
            ) from error

    def _resolved(self, wanted: Wanted, ids: Mapping[str, UUID]) -> AutomationCore:
        actions = []
        for action in wanted.body["actions"]:
            plain = {name: value for name, value in action.items() if name not in {"deployment", "block"}}
            if "deployment" in action:
                found = self._client.read_deployment_by_name(str(action["deployment"]))
                plain |= {"source": "selected", "deployment_id": found.id}
            if "block" in action:
                plain["block_document_id"] = ids[str(action["block"])]
            actions.append(plain)
        try:
            core = AutomationCore.model_validate({**wanted.body, "tags": [TAG], "actions": actions})
        except ValidationError as error:
            raise InputError("this is no automation", where=str(wanted.path), seen=str(error)) from error
        _must_be_known(wanted, core)
        # All of it is said: what is left unsaid stays on the server as it is, such as `enabled`.
        return AutomationCore.model_validate(core.model_dump(exclude={"owner_resource"}))

    def _ids(self, names: Iterable[str]) -> dict[str, UUID]:
        """The webhook blocks that lead somewhere: to where it is said, or to where the server's own do."""
        found = {name: self._block(name, self._blocks.get(name)) for name in names}
        return {name: number for name, number in found.items() if number is not None}

    def _block(self, name: str, url: str | None) -> UUID | None:
        """The webhook block of that name, which holds `url` as a secret; made or changed where it does not.

        As it stands where `url` is None; None where there is none, or nobody is to be told.
        """
        if url == "":
            return None
        with suppress(ValueError):  # there is no such block
            known = cast("Webhook", Webhook.load(name))
            if self._dry or url in {None, known.url.get_secret_value()}:
                return known._block_document_id  # noqa: SLF001 - Prefect has no other way to ask
        if url is None:
            return None
        if self._dry:
            return UUID(int=0)
        return cast("UUID", Webhook(method="POST", url=SecretStr(url)).save(name, overwrite=True))

    def _removed(self, automation: Automation) -> Done:
        if not self._dry:
            self._client.delete_automation(automation.id)
        return Done(automation.name, Deed.REMOVED)


def apply(folder: Path, blocks: Mapping[str, str], *, dry: bool) -> tuple[Done, ...]:
    """The files of `folder` brought to the server of ``PREFECT_API_URL``.

    `blocks` are addresses of webhooks by name: "" for nowhere, and those of which nothing is said stay as they are.
    """
    wanted = read(folder)
    with get_client(sync_client=True) as client:
        return Server(client, blocks, dry=dry).apply(wanted)


def _read(path: Path) -> Wanted:
    try:
        body = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, YAMLError) as error:
        raise InputError("an automation cannot be read", where=str(path), seen=str(error)) from error
    fits = isinstance(body, dict) and isinstance(body.get("name"), str)
    fits = fits and isinstance(body.get("actions"), list) and isinstance(body.get("trigger"), dict)
    if not fits or not body["actions"] or not all(isinstance(action, dict) for action in body["actions"]):
        raise InputError("this is no automation", where=str(path), expected="name, trigger, and one action or more")
    return Wanted(path, body)


def _must_be_known(wanted: Wanted, core: AutomationCore) -> None:
    """Refuse a word that Prefect would ignore: a slip in ``expect`` makes an automation for every event there is."""
    parts: list[tuple[Mapping[str, Any], BaseModel]] = [(wanted.body, core), (wanted.body["trigger"], core.trigger)]
    parts += zip(wanted.body["actions"], core.actions, strict=True)
    for given, read in parts:
        unknown = set(given) - set(type(read).model_fields) - {"deployment", "block"}
        if unknown:
            raise InputError(
                "an automation has a word that means nothing",
                where=str(wanted.path),
                expected=", ".join(type(read).model_fields),
                seen=", ".join(sorted(unknown)),
            )


def _plain(automation: AutomationCore) -> dict[str, Any]:
    """What can be compared of an automation: all but its id, which the files do not have."""
    core = AutomationCore.model_validate(automation.model_dump())
    plain: dict[str, Any] = core.model_dump()  # not as JSON, in which a set is a list in no order
    plain["trigger"].pop("id", None)
    return plain


def _blocks(listen: str, secret: str, escalation: str | None) -> dict[str, str]:
    """Where the webhook blocks lead to: to ``defib listen`` by its secret, and to the escalation where it is named."""
    home = Home.open()
    found = {LISTEN: f"{listen.rstrip('/')}/tell/{secret_of_addresses(home, secret)}" if listen else ""}
    if escalation is not None:
        found[ESCALATION] = resolve(escalation, home.path) if escalation else ""
    return found


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 where the server has every automation that was asked for, 1 where one is left out."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.automations", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("command", choices=["apply"])
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--listen", default=OWN_ADDRESS, help="where defib listen is, as the server sees it; '' for nowhere")
    parser.add_argument("--secret", default=OWN_SECRET, help="the secret of defib listen, as a reference")
    parser.add_argument(
        "--escalation",
        help="who else hears of a burning objective: a reference to a webhook's URL; '' for nobody, left out: as it is",
    )
    given = parser.parse_args(arguments)
    try:
        must_have_a_server()
        done = apply(FOLDER, _blocks(given.listen, given.secret, given.escalation), dry=given.dry_run)
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        sys.stderr.write(
            f"error:    Prefect does not answer\nseen:     {error}\nnext:     see that PREFECT_API_URL is right\n"
        )
        return Unavailable.exit_code
    except DefibError as error:
        tell(error)
        return error.exit_code
    would = "would be " if given.dry_run else ""
    for each in done:
        sys.stdout.write(f"{each.name}: {would}{each.deed}{f': {each.why}' if each.why else ''}\n")
    expected = {ESCALATION} if not given.escalation else set()
    left_out = [each for each in done if each.deed is Deed.LEFT_OUT and not any(name in each.why for name in expected)]
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
