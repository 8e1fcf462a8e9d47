"""Chats, mailboxes, phones and the rest, through Apprise, by one URL each.

Apprise says what went wrong only to its logger, so that is where it is read; nothing of it reaches other logs, because its
lines may hold addresses.
"""

from __future__ import annotations

import logging
import re
import threading
from urllib.parse import urlsplit

import apprise
from apprise.conversion import convert_between

from defib.alerts.alert import Alert, Severity
from defib.clock import Deadline
from defib.errors import Denied, NotFound, ProviderError, SecretMissing, Unavailable
from defib.providers.bounded import bounded
from defib.providers.proxy import on_loopback, spare_loopback

_TYPES = {
    Severity.INFO: apprise.NotifyType.INFO,
    Severity.SUCCESS: apprise.NotifyType.SUCCESS,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.FAILURE: apprise.NotifyType.FAILURE,
}
_ASSET = apprise.AppriseAsset(
    app_id="Defib",
    app_desc="Disaster recovery",
    async_mode=False,
    storage_mode=apprise.PersistentStoreMode.MEMORY,  # nothing of a channel is written to the disk
)
_LONGEST = 400

_TEXT, _MARKDOWN, _HTML = apprise.NotifyFormat.TEXT, apprise.NotifyFormat.MARKDOWN, apprise.NotifyFormat.HTML
_CALLING = re.compile(r"@(?=everyone|here|channel)")
_LOOK_ALIKE = str.maketrans(
    {"<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"}
)


class _Overheard(logging.Handler):
    """Keeps what Apprise logs in a thread that listens, and lets all else go."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._own = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        lines: list[str] | None = getattr(self._own, "lines", None)
        if lines is not None:
            lines.append(record.getMessage())

    def listen(self) -> list[str]:
        """What is logged in this thread from now on."""
        self._own.lines = []
        lines: list[str] = self._own.lines
        return lines


_overheard = _Overheard()
_logger = logging.getLogger("apprise")
_logger.addHandler(_overheard)
_logger.propagate = False


class AppriseChannel:
    """One Apprise URL under a name. Each alert goes out by a new service object: old ones would pace themselves.

    Fulfils :class:`defib.alerts.alert.Channel`. :class:`SecretMissing` where Apprise cannot read the URL, which is not
    repeated.
    """

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._url = url
        if on_loopback(url):
            spare_loopback()
        self._service()

    @property
    def name(self) -> str:
        return self._name

    def send(self, alert: Alert, *, within: Deadline) -> None:
        what = f"sending {alert.kind.value!r} over {self._name}"
        bounded(lambda: self._deliver(alert, what, within), within, what, self._name)

    def _deliver(self, alert: Alert, what: str, within: Deadline) -> None:
        service = self._service()
        seconds = max(within.remaining().total_seconds(), 0.001)
        service.socket_connect_timeout = service.socket_read_timeout = seconds
        heard = _overheard.listen()
        try:
            title = " ".join(alert.title.split())
            title = title if service.title_maxlen > 0 else worded(title, service.notify_format)
            body = worded(alert.text, service.notify_format)
            sent = service.notify(body=body, title=title, notify_type=_TYPES[alert.severity])
        except Exception as error:  # a plugin's own defect: there are more than a hundred of them
            raise Unavailable(f"{what}: Apprise failed", where=self._name, seen=type(error).__name__) from None
        if not sent:
            raise _refused(what, self._name, " | ".join(heard))

    def _service(self) -> apprise.NotifyBase:
        made = apprise.Apprise.instantiate(self._url, asset=_ASSET, suppress_exceptions=True)
        if not isinstance(made, apprise.NotifyBase):
            raise SecretMissing(
                "Apprise cannot read the URL of an alert channel",
                where=self._name,
                expected="a URL as in Apprise's documentation",
                seen=f"one that begins with {urlsplit(self._url).scheme or 'no scheme'}",
                then="correct what the reference in the site file leads to",
            )
        return made


def worded(text: str, format_: apprise.NotifyFormat) -> str:
    """`text` for a channel that reads it as HTML or as a chat's Markdown, so that it shows there as it is.

    An error quotes what a failing server sent, which is anybody's. HTML is made of it as Apprise does; Apprise has nothing
    for Markdown, where chats make links of ``<URL|words>`` and ``[words](URL)``, and call everybody for ``<!channel>``.
    """
    if format_ == _HTML:
        return str(convert_between(_TEXT, _HTML, text))  # type: ignore[no-untyped-call]
    if format_ == _MARKDOWN:
        return _CALLING.sub("@ ", text.translate(_LOOK_ALIKE).replace("](", "] ("))
    return text


def _refused(what: str, where: str, heard: str) -> ProviderError:
    seen = heard[:_LONGEST] or "no reason given"
    told = re.search(r"error\s*[=:]\s*(\d{3})", heard)
    status = int(told[1]) if told else 0
    if status in {401, 403} or re.search(r"(?i)authenticat|unauthori[sz]ed|access.token|invalid.token", heard):
        return Denied(f"{what}: the channel refuses the credentials", where=where, seen=seen)
    if status in {400, 404, 410}:
        return NotFound(f"{what}: the channel does not exist", where=where, seen=seen)
    return Unavailable(f"{what}: it was not taken", where=where, seen=seen)
