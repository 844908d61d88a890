"""The one way out: a request with a deadline in, an answer or one of our errors back."""

import contextlib
import dataclasses
import functools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, TypeGuard

import httpx

from clients import decoding, errors, limits, redaction, translation
from clients.answers import Answer
from clients.call import Call, Params
from clients.deadline import Deadline
from clients.gate import Gate, Open, Passage
from clients.limits import Limits

MIB = 1024 * 1024
LAST_PORT = 65_535
WAIT_SHARE = 0.5  # of the time that is left, for the turn at the gate

Route = tuple[str, re.Pattern[str]]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONDITIONS = frozenset({"if-none-match", "if-modified-since"})
# What an idle connection looks like that the server has dropped in the meantime.
_LOST = (httpx.ConnectError, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


@dataclasses.dataclass(frozen=True, slots=True)
class _Unanswered:
    """No whole answer. `head`: status and headers, where they came; the body of it is empty.

    `lost`: the connection was dead before an answer began.
    """

    error: errors.ClientError
    head: Answer | None
    lost: bool


class ApiClient:
    """What every vendor client builds on; no state but its arguments, safe in threads.

    `http` is shared by the process. Its cookies, headers and authentication are not used, so no
    person's session reaches another's request. `base_url` may have a path prefix, `deadline` is
    seconds for one whole request, the wait at the `gate` included, `max_bytes` limits the decoded
    body, `clock` is Unix seconds. Whatever the gate says instead of letting a request through is
    raised as it is.
    """

    vendor: ClassVar[str] = "the server"
    # What a 403 with a page stands for, where the vendor says so: `reason` of the error.
    html_403: ClassVar[str | None] = None
    # All that can be asked for: (method, pattern of the whole path below base_url).
    allowed: ClassVar[Sequence[Route]] = ()

    def __init__(
        self,
        *,
        http: httpx.Client,
        base_url: str,
        gate: Gate | None = None,
        deadline: float = 20.0,
        max_bytes: int = 32 * MIB,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._gate = gate or Open()
        self._base = _checked_base(base_url)
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._clock = clock
        self._monotonic = monotonic

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
        credentials: redaction.Credentials | None = None,
    ) -> Answer:
        """Ask, and give back a good answer: a 2xx, or a 304 to a conditional request.

        `path` is relative to the base URL. Raises `clients.errors`; ValueError for a route that
        is not in `allowed`.
        """
        path = path.removeprefix("/")
        if not self._allows(method, path):
            raise ValueError(f"{method} {path} is not among the calls this client may make")
        call = Call(
            method=method,
            path=path,
            params=params or {},
            form=form,
            json=json,
            headers=headers or {},
            credentials=credentials or self._credentials(method),
            kept=self._gate.secrets,
        )
        outcome = self._perform(call, self._deadline if deadline is None else deadline)
        # Raised outside of any except block: neither the frames nor the exceptions that saw a
        # secret are in the traceback or in the chain.
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _credentials(self, method: str) -> redaction.Credentials:  # noqa: ARG002  # for overrides
        """What proves who we are in a request of this method."""
        return redaction.Credentials()

    def _error_message(self, answer: Answer) -> str:
        """What the vendor says in an error answer, in one line."""
        return "" if answer.is_html else answer.error_text()

    def _classify(self, answer: Answer, said: Limits) -> errors.ClientError | None:
        """The error that an answer stands for, None for a good one."""
        good = httpx.codes.is_success(answer.status)
        return translation.from_answer(
            answer,
            vendor=self.vendor,
            text="" if good else self._error_message(answer),
            limits=said,
            html_403=self.html_403,
        )

    def _url(self, path: str, params: Params) -> httpx.URL:
        """The full URL of a call, as it may be logged: credentials are not in it."""
        # Taken apart once: that costs more than whatever else is done before a request leaves.
        if params:
            return httpx.URL(f"{self._base}{path}", params=dict(params))
        return httpx.URL(f"{self._base}{path}")

    def _allows(self, method: str, path: str) -> bool:
        return any(method == verb and pattern.fullmatch(path) for verb, pattern in self.allowed)

    def _perform(self, call: Call, seconds: float) -> Answer | Exception:
        deadline = Deadline(seconds, monotonic=self._monotonic)
        outcome = self._exchange(call, deadline)
        if isinstance(outcome, Answer) and outcome.status in _REDIRECTS:
            path = self._redirected_path(outcome)
            if call.method == "GET" and path is not None:
                outcome = self._exchange(dataclasses.replace(call, path=path), deadline)
        if isinstance(outcome, Answer) and outcome.status in _REDIRECTS:
            return call.scrubbed(self._redirects(outcome))
        return outcome

    def _exchange(self, call: Call, deadline: Deadline) -> Answer | Exception:
        """One request through the gate, and once more where its connection turns out to be dead."""
        outcome = self._through(call, deadline)
        if call.method == "GET" and isinstance(outcome, _Unanswered) and outcome.lost:
            outcome = self._through(call, deadline)
        return outcome.error if isinstance(outcome, _Unanswered) else outcome

    def _through(self, call: Call, deadline: Deadline) -> Answer | _Unanswered | Exception:
        # A turn that comes late must leave time for an answer: the vendor is not slow if we were.
        within = WAIT_SHARE * max(0.0, deadline.left())
        passage = self._gate.enter(call.method, call.path, within=within)
        if isinstance(passage, Exception):
            return passage
        outcome = self._asked(call, deadline)
        if isinstance(outcome, Answer):
            said = limits.read(outcome.headers, now=self._clock())
            error = self._judged(call, outcome, said)
            return self._told(call, passage, error, said) or outcome
        if outcome.head is None:
            passage.lost()
            return outcome
        # A limit says all that matters in its headers, and what they say counts without a body.
        said = limits.read(outcome.head.headers, now=self._clock())
        limit = self._classify(outcome.head, said)
        return self._told(call, passage, limit if _asks_to_wait(limit) else None, said) or outcome

    def _told(
        self, call: Call, passage: Passage, error: errors.ClientError | None, said: Limits
    ) -> Exception | None:
        """Tell the gate what became of its request; what the caller is told of an error."""
        if error is not None:
            error = call.scrubbed(error)
        if _asks_to_wait(error):
            return passage.refused(error, said)
        passage.answered(said)
        return error

    def _judged(self, call: Call, answer: Answer, said: Limits) -> errors.ClientError | None:
        if answer.status in _REDIRECTS:
            # RFC 9110, 10.2.3: the shortest time before the redirected request.
            return self._later(answer, said) if said.retry_after else None
        conditional = any(name.lower() in _CONDITIONS for name in call.headers)
        if answer.status == httpx.codes.NOT_MODIFIED and conditional:
            return None
        return self._classify(answer, said)

    def _later(self, answer: Answer, said: Limits) -> errors.ClientError | None:
        if answer.method != "GET" or self._redirected_path(answer) is None:
            return None
        return errors.Unavailable(
            f"{self.vendor} redirects {answer.method} {answer.path} ({answer.status}), but not yet",
            status=answer.status,
            request_id=answer.request_id,
            retry_after=said.retry_after,
        )

    def _redirects(self, answer: Answer) -> errors.ClientError:
        return answer.unexpected(
            f"{self.vendor} redirects ({answer.status}); check the base URL",
            reason="redirected",
        )

    def _redirected_path(self, answer: Answer) -> str | None:
        # Only the path counts: the query stays ours, it may carry a token.
        with contextlib.suppress(httpx.InvalidURL, KeyError):
            here = self._base.join(answer.path)
            there = here.join(answer.headers["Location"])
            same_origin = (here.scheme, here.host, here.port) == (
                there.scheme,
                there.host,
                there.port,
            )
            path = there.path.removeprefix(self._base.path)
            inside = there.path.startswith(self._base.path)
            if same_origin and inside and self._allows("GET", path):
                return path
        return None

    def _asked(self, call: Call, deadline: Deadline) -> Answer | _Unanswered:
        head = None
        try:
            response = self._http.send(
                call.request(self._url(call.path, call.params), deadline),
                stream=True,
                auth=None,
                follow_redirects=False,
            )
            head = Answer(
                method=call.method,
                path=call.path,
                status=response.status_code,
                headers=response.headers,
                body=b"",
                secrets=call.secrets(),
            )
            with contextlib.closing(response):
                return self._read(head, response, deadline)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as failure:
            error = translation.from_failure(
                failure,
                vendor=self.vendor,
                asked=f"{call.method} {call.path}",
                seconds=deadline.seconds,
            )
            lost = isinstance(failure, _LOST) and head is None
        return _Unanswered(call.scrubbed(error), head, lost)

    def _read(
        self, head: Answer, response: httpx.Response, deadline: Deadline
    ) -> Answer | _Unanswered:
        body = bytearray()
        for chunk in decoding.unpacked(response):
            body += chunk
            if len(body) > self._max_bytes:
                error = head.unexpected(
                    f"the body is larger than {self._max_bytes} bytes", reason="too_large"
                )
                return _Unanswered(error, head, lost=False)
            if deadline.left() <= 0:
                raise httpx.ReadTimeout("total deadline")
        return dataclasses.replace(head, body=bytes(body))


def _asks_to_wait(error: errors.ClientError | None) -> TypeGuard[errors.Transient]:
    return isinstance(error, errors.RateLimited) or (
        isinstance(error, errors.Transient) and error.retry_after is not None
    )


@functools.lru_cache(maxsize=128)  # a client is made for each piece of work
def _checked_base(base_url: str) -> httpx.URL:
    """The base URL with one slash at its end; ValueError, which does not quote it, if unfit."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("a base URL must be an absolute http or https URL")
    if url.port is not None and not 0 < url.port <= LAST_PORT:
        raise ValueError("a base URL can't have this port")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("a base URL can't hold credentials, a query or a fragment")
    return url.copy_with(path=url.path.rstrip("/") + "/")
