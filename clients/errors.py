"""What can go wrong when we talk to a vendor, as one tree.

The two branches say what to do next, `reason` says why in a word for machines::

    ClientError
    ├── Transient              try again, not before `retry_after`
    │   ├── Unavailable        no answer, a broken one, a deadline, 5xx, an outage page
    │   └── RateLimited        429; 503 that names a time; 403 of a quota that is used up
    └── Permanent              stop: a person has to do something
        ├── AuthFailed         401, a refused login
        ├── Forbidden          any other 403
        ├── NotFound           404, 410
        ├── Rejected           any other 4xx, or a request that can't be sent
        └── UnexpectedResponse an answer whose shape does not fit

Nothing in an error holds a secret: the one place that makes them cleans them first.
"""

from typing import ClassVar


class ClientError(Exception):
    """A call to a vendor failed; `str(error)` is one sentence fit for a page.

    `reason`: machine-readable word. `status`: HTTP status, None without an answer.
    `request_id`: the answer's X-Request-Id. `details`: the parsed error body, or None.
    """

    default_reason: ClassVar[str] = "failed"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        details: object = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.status = status
        self.request_id = request_id
        self.details = details


class Transient(ClientError):  # noqa: N818  # names of the tree read as sentences
    """Try again; `retry_after` is in seconds from now, None when the vendor named no time."""

    default_reason = "unavailable"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        details: object = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            message, reason=reason, status=status, request_id=request_id, details=details
        )
        self.retry_after = retry_after


class Unavailable(Transient):
    """The vendor is down, slow or out of reach."""


class RateLimited(Transient):
    """The vendor asks for a pause."""

    default_reason = "rate_limited"


class Permanent(ClientError):  # noqa: N818  # names of the tree read as sentences
    """The same call would fail again."""

    default_reason = "rejected"


class AuthFailed(Permanent):
    """The credentials are not, or no longer, accepted."""

    default_reason = "auth_failed"


class Forbidden(Permanent):
    """The credentials are good, but not for this."""

    default_reason = "forbidden"


class NotFound(Permanent):
    """There is no such thing, or not any more."""

    default_reason = "not_found"


class Rejected(Permanent):
    """The vendor understood the call and refused it."""


class UnexpectedResponse(Permanent):
    """The answer does not have the documented shape."""

    default_reason = "unexpected_response"
