"""The one table that turns statuses and transport failures into our errors."""

from collections.abc import Mapping

import httpx

from clients import errors
from clients.answers import Answer
from clients.limits import Limits
from clients.public import PRIVATE, REMEDY, PrivateAddressError

_PERMANENT: Mapping[int, type[errors.Permanent]] = {
    401: errors.AuthFailed,
    403: errors.Forbidden,
    404: errors.NotFound,
    410: errors.NotFound,
}
# These two say "again, please" although they are 4xx.
_TRY_AGAIN: Mapping[int, str] = {408: "timeout", 425: "unavailable"}
_UNSENDABLE = (
    httpx.InvalidURL,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    UnicodeError,
)


def from_answer(
    answer: Answer, *, vendor: str, text: str, limits: Limits, html_403: str | None = None
) -> errors.ClientError | None:
    """The error an answer stands for, None for a 2xx that is no page for people.

    `text`: what the vendor says in its body. `limits`: what its headers say. `html_403`: the
    reason that a 403 with a page stands for, at a vendor that says so; None: it is any 403.
    """
    status = answer.status
    said = f"{vendor} answered {status} to {answer.method} {answer.path}"
    said = f"{said}: {text}" if text else said
    wait = limits.wait
    if _is_limit(answer, limits):
        error: errors.ClientError = errors.RateLimited(said, retry_after=_pause(limits))
    elif (
        answer.is_html and not httpx.codes.BAD_REQUEST <= status < httpx.codes.INTERNAL_SERVER_ERROR
    ):
        error = outage_page(answer, vendor=vendor, wait=wait)
    elif httpx.codes.is_success(status):
        return None
    elif status in _TRY_AGAIN:
        error = errors.Unavailable(said, reason=_TRY_AGAIN[status], retry_after=wait)
    elif httpx.codes.is_server_error(status):
        error = errors.Unavailable(said, reason="server_error", retry_after=wait)
    elif status == httpx.codes.FORBIDDEN and answer.is_html and html_403 is not None:
        error = errors.Forbidden(f"{said} with a page, not data", reason=html_403)
    elif status in _PERMANENT:
        error = _PERMANENT[status](said)
    elif httpx.codes.is_client_error(status):
        error = errors.Rejected(said)
    else:
        error = answer.unexpected(f"status {status}")
    error.status = status
    error.request_id = answer.request_id
    error.details = answer.details()
    return error


def _is_limit(answer: Answer, limits: Limits) -> bool:
    match answer.status:
        case httpx.codes.TOO_MANY_REQUESTS:
            return True
        case httpx.codes.SERVICE_UNAVAILABLE:  # without a time it is an outage
            return limits.wait is not None
        case httpx.codes.FORBIDDEN:  # so BM Parts and GitHub say it
            return limits.remaining == 0 and isinstance(answer.details(), dict)
    return False


def _pause(limits: Limits) -> float | None:
    # A refusal that tells of a reset, and not of what is left, can only mean that nothing is.
    return limits.reset_after if limits.wait is None and limits.remaining is None else limits.wait


def outage_page(answer: Answer, *, vendor: str, wait: float | None) -> errors.Unavailable:
    """The error for a page where data was due: a proxy or a maintenance sign spoke."""
    return errors.Unavailable(
        f"{vendor} answered {answer.status} to {answer.method} {answer.path} with a page, not data",
        status=answer.status,
        request_id=answer.request_id,
        retry_after=wait,
    )


def from_failure(
    failure: Exception, *, vendor: str, asked: str, seconds: float
) -> errors.ClientError:
    """The error for a request that got no answer. Texts of httpx may quote headers: not used."""
    if isinstance(failure, PrivateAddressError):
        return errors.Rejected(
            f"{asked} is not sent: {vendor} {PRIVATE}; {REMEDY}", reason="private_address"
        )
    if isinstance(failure, _UNSENDABLE):
        return errors.Rejected(f"{asked} can't be sent to {vendor}: {type(failure).__name__}")
    if isinstance(failure, httpx.TimeoutException):
        return errors.Unavailable(
            f"{vendor} did not answer {asked} within {seconds:g} s", reason="timeout"
        )
    if isinstance(failure, httpx.ConnectError | httpx.ProxyError):
        return errors.Unavailable(
            f"no connection to {vendor} for {asked}: {failure}", reason="connect_failed"
        )
    if isinstance(failure, httpx.DecodingError):
        return errors.UnexpectedResponse(f"the answer of {vendor} to {asked} can't be decompressed")
    return errors.Unavailable(
        f"{vendor} broke off while it answered {asked} ({type(failure).__name__})"
    )
