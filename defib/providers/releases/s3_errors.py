"""What obstore raises, as our errors.

obstore tells the kind of some failures by class and leaves the rest to its text, in which S3's answer stands as it came:
status and XML (https://developmentseed.org/obstore/latest/api/exceptions/). Codes of S3:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)

from defib.errors import Denied, NotFound, ProviderError, Unavailable

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_MOST = 300

_BUSY = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "OperationAborted"}
_DENIED = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "AllAccessDisabled",
    "AccountProblem",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired"}
# A key with "//" or "..", which others may have stored, is no path for obstore: it ends the listing, now and later.
_NEVER = (InvalidPathError, NotSupportedError, UnknownConfigurationKeyError)
_LISTLESS = "allow s3:ListBucket on the bucket, without which what is missing reads as 403, and the actions on its objects"
_FIRST_FAILURE = 500
_TOO_MANY = 429


@contextmanager
def asked(what: str, where: str) -> Iterator[None]:
    """Raise what obstore raises inside as a :class:`ProviderError`, with obstore's own as its cause."""
    try:
        yield
    except (BaseError, FileNotFoundError, TimeoutError) as error:
        raise _translated(error, what, where) from error


def code_of(error: BaseException | None) -> str:
    """S3's code of a cause, "" where its answer had none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _translated(error: Exception, what: str, where: str) -> ProviderError:
    text, code = str(error), code_of(error)
    answered = _STATUS.search(text)
    status = int(answered[1]) if answered else 0
    seen = _seen(text, code, status)
    if code in _SKEWED:
        return Denied(
            f"{what}: this machine's clock is wrong, S3 takes no signature that is minutes off",
            where=where,
            seen=seen,
            then="set the clock (timedatectl set-ntp true), then run again",
        )
    if code in _BUSY or status >= _FIRST_FAILURE or status == _TOO_MANY:
        return Unavailable(f"{what}: S3 cannot answer now", where=where, seen=seen)
    if code in _DENIED or isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return Denied(f"{what}: S3 refuses the credentials", where=where, seen=seen, then=_LISTLESS)
    if status or isinstance(error, (FileNotFoundError, *_NEVER)):
        return _wrongly_asked(error, what, where, seen)
    return Unavailable(f"{what}: no answer", where=where, seen=seen)


def _wrongly_asked(error: Exception, what: str, where: str, seen: str) -> NotFound:
    if isinstance(error, _NEVER):
        return NotFound(f"{what}: obstore cannot do it", where=where, seen=seen, then="look at the keys in the bucket")
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{what}: S3 does not know it", where=where, seen=seen, then="check the bucket in the site file")
    return NotFound(f"{what}: S3 refuses the request", where=where, seen=seen, then="check bucket and region")


def _seen(text: str, code: str, status: int) -> str:
    if not status:
        return text.partition("\n")[0][:_MOST]
    message = _MESSAGE.search(text)
    return " ".join(part for part in (str(status), code, message[1] if message else "") if part)[:_MOST]
