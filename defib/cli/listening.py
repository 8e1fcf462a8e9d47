"""``listen``: take the alarms of outside monitors over HTTP, and look after the runs of this machine."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import uvicorn

from defib.alarms import alarmbook
from defib.alarms.addresses import secret_of_addresses
from defib.alarms.alarm import Alarm, Says
from defib.alarms.receiver import VENDORS, Receiver
from defib.alerts.alert import Alert
from defib.alerts.herald import outlets_of
from defib.alerts.telling import tell
from defib.cli import procedures
from defib.cli.desk import desk, signals_interrupt
from defib.cli.guarding import guard
from defib.cli.say import say, say_json
from defib.clock import Clock, SystemClock
from defib.detached import start_detached
from defib.errors import DefibError, Interrupted, PortTaken, Unavailable
from defib.home import Home
from defib.observe.failure import plain
from defib.providers.alarm import uptimerobot
from defib.providers.alarm.message import Message
from defib.providers.alarm.sns import Sns
from defib.redact import Redactor
from defib.sites.site import Site, load_site

GUARDED_EVERY = timedelta(seconds=30)

QUIET = timedelta(minutes=10)
"""The same message of an automation is not handed on again within this time."""

MOST_TOLD = 50
"""So many messages of automations are handed on within that time: more tell nobody more."""

_MOST_CONNECTIONS = 64
_LEAVE_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True)
class Listening:
    """The options of the command."""

    sites: Sequence[str]
    host: str
    port: int
    topics: Sequence[str]
    secret: str
    through_prefect: bool
    prefect_within: timedelta
    """For an event to become an answer through Prefect; after that it is answered without."""
    prefect: bool


def listen(redact: Redactor, wanted: Listening, *, addresses: bool, as_json: bool) -> int:
    """Listen until a signal comes; with `addresses` only say what to tell the vendors."""
    clock = SystemClock()
    at = desk(clock, redact)
    sites = {site.site: (site, path) for path in map(at.site_path, wanted.sites) for site in [load_site(path)]}
    secret = secret_of_addresses(at.home, wanted.secret)
    if addresses:
        _say_addresses(sites, wanted, secret, as_json=as_json)
        return 0
    redact.learn(secret)
    post = Post(at.home, sites, clock, redact, wanted, as_json=as_json)
    receiver = Receiver(tuple(sites), secret, Sns(wanted.topics), clock, post)
    with _socket(wanted) as door:
        host, port = door.getsockname()[:2]
        post.say(f"listening for {', '.join(sites)} at http://{host}:{port}")
        if not host.startswith("127.") and host != "::1":
            post.say("warning: this is not encrypted, and the secret is in the address: put a proxy with TLS before it")
        with signals_interrupt(clock):
            _serve(receiver, door, clock, post)
    post.say("stopped listening")
    return 0


class Post:
    """Where alarms and messages go: each alarm to a ``defib event`` of its own, which outlives the listening.

    One at a time a site: what comes meanwhile is about the same outage, and is remembered.
    """

    def __init__(
        self,
        home: Home,
        sites: dict[str, tuple[Site, Path]],
        clock: Clock,
        redact: Redactor,
        wanted: Listening,
        *,
        as_json: bool,
    ) -> None:
        self._home, self._sites, self._clock, self._redact, self._wanted = home, sites, clock, redact, wanted
        self._as_json = as_json
        self._lock = threading.Lock()
        self._at_work: dict[str, subprocess.Popen[bytes]] = {}
        self._asked: dict[str, datetime] = {}
        self._told: dict[tuple[str, str], datetime] = {}

    def take(self, site: str, heard: Alarm) -> str:
        """An alarm that is new and says down is answered in the background; every other is remembered."""
        folder = self._home.site(site)
        with self._lock:
            now = self._clock.now()
            if alarmbook.is_known(folder, heard):
                return "known"
            if heard.says is not Says.DOWN or self._is_at_work(site, now):
                alarmbook.note(folder, heard.believed(now), now)
                self.say(f"{site}: {heard}; remembered")
                return "remembered"
            if self._wanted.through_prefect and self._asked_prefect(site, heard, now):
                return "sent to Prefect"
            self._answer(site, heard)
        return "taken"

    def tell(self, message: Message) -> str:
        """The people of the site that it names; those of all sites where it names none, or one that is not ours."""
        with self._lock:
            now = self._clock.now()
            before = self._told.get((message.site, message.subject))
            if before is not None and now - before < QUIET:
                return "told before"
            self._told = {key: at for key, at in self._told.items() if now - at < QUIET}
            if len(self._told) >= MOST_TOLD:
                self.say(f"warning: not told, because {MOST_TOLD} messages of the last minutes were: {message.title}")
                return "not told"
            self._told[message.site, message.subject] = now
        named = [self._sites[message.site]] if message.site in self._sites else self._sites.values()
        for site, _ in named:
            title, text = self._redact(plain(message.title)), self._redact(message.text)
            alert = Alert(message.kind, message.subject, title, text, message.severity, site.site, "")
            self.say(f"{site.site}: {title}")
            for told in tell(outlets_of(site, self._home, self._redact), alert, self._clock):
                self.say(f"{told.channel}: {told.outcome} {told.why}".rstrip())
        return "told"

    def say(self, text: str) -> None:
        now, text = self._clock.now(), self._redact(plain(text, 500))
        if self._as_json:
            say_json({"note": text, "at": now.isoformat()}, one_line=True)
        else:
            say(f"{now:%H:%M:%S}  {text}")

    def guard(self) -> None:
        """One look at the runs of this machine."""
        try:
            guard(self._home, self._clock, self._redact, self.say)
        except (DefibError, OSError) as error:
            self.say(f"warning: {error}")

    def _is_at_work(self, site: str, now: datetime) -> bool:
        process = self._at_work.get(site)
        asked = self._asked.get(site)
        return (process is not None and process.poll() is None) or (
            asked is not None and now - asked < self._wanted.prefect_within
        )

    def _asked_prefect(self, site: str, heard: Alarm, now: datetime) -> bool:
        """Emit the event, and look after it: what Prefect has not begun in time is begun here."""
        trouble = procedures.events().emit_alarm(site, heard)
        if trouble:
            self.say(f"warning: {site}: Prefect does not take the event, so it is answered here: {trouble}")
            return False
        self._asked[site] = now
        self.say(f"{site}: {heard}; sent to Prefect")
        late = threading.Timer(self._wanted.prefect_within.total_seconds(), self._answer_unless_begun, (site, heard, now))
        late.daemon = True
        late.start()
        return True

    def _answer_unless_begun(self, site: str, heard: Alarm, asked: datetime) -> None:
        with self._lock:
            if alarmbook.is_begun_since(self._home.site(site), heard, asked):
                return
            self.say(f"warning: {site}: Prefect has not begun to answer in time, so it is answered here")
            try:
                self._answer(site, heard)
            except DefibError as error:
                self.say(f"warning: {error}")

    def _answer(self, site: str, heard: Alarm) -> None:
        folder = self._home.site(site)
        believed = heard.believed(self._clock.now())
        # In one word each: what begins with a dash is no option of its own.
        words = [f"--from={heard.source}", f"--id={heard.id}", f"--says={self._redact(heard.text)}"]
        words += [f"--since={believed.since.isoformat()}"] if believed.since else []
        words += [] if self._wanted.prefect else ["--no-prefect"]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "alarms.log").open("ab") as output:
                process = start_detached(["event", "--site", str(self._sites[site][1]), *words], self._home.path, output)
        except OSError as error:  # the vendor is told so, and tries again
            raise Unavailable("an answer cannot be started", where=str(folder), seen=str(error)) from error
        self._at_work[site] = process
        self.say(f"{site}: {heard}; answered by process {process.pid}, whose words go to {output.name}")


def _serve(receiver: Receiver, door: socket.socket, clock: SystemClock, post: Post) -> None:
    """In a thread of its own: the server would answer signals in its own way."""
    settings = uvicorn.Config(
        receiver.application(),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # its lines would hold the secret
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=round(_LEAVE_WITHIN.total_seconds()),
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, args=([door],), name="defib-listen", daemon=True)
    thread.start()
    with suppress(Interrupted):
        while thread.is_alive():
            post.guard()
            clock.sleep(GUARDED_EVERY)
    server.should_exit = True
    thread.join(_LEAVE_WITHIN.total_seconds())


def _socket(wanted: Listening) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
        return socket.create_server((wanted.host, wanted.port), family=family)
    except OSError as error:
        raise PortTaken(
            f"cannot listen: {error.strerror}", where=f"{wanted.host}:{wanted.port}", then="defib listen --port ANOTHER"
        ) from error


def _say_addresses(sites: dict[str, tuple[Site, Path]], wanted: Listening, secret: str, *, as_json: bool) -> None:
    """The one place where the secret is shown: to the person who has to paste it."""
    start = f"http://{wanted.host}:{wanted.port}"
    found = {f"{site} {vendor}": f"{start}/{site}/{vendor}/{secret}" for site in sites for vendor in VENDORS}
    found |= {"automations": f"{start}/tell/{secret}"}
    if as_json:
        say_json(found)
        return
    say("\n".join(f"{who}:\n  {address}" for who, address in found.items()))
    say(f"UptimeRobot's POST value, to be sent as JSON:\n  {uptimerobot.BODY}")
