"""Bime's API, to look at what an account has: this client can't write anything.

https://github.com/nicolas/bime-api (v2; v3 has the same lists). A list comes whole: there are no
pages. Which answers have an ETag, a Last-Modified or neither is not written down, so whatever came
is sent back.
"""

import dataclasses
import re
import time
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

import httpx

from clients import bime_models, errors
from clients.answers import Answer
from clients.bearer import TokenSource, bearer
from clients.bime_answers import BimeApi, Validators, apart, unwrapped
from clients.bime_models import Record, Resource
from clients.gate import Gate
from clients.http import MIB, Route

T = TypeVar("T")

_ID = re.compile("[A-Za-z0-9_-]+")


@dataclasses.dataclass(frozen=True, slots=True)
class Fresh(Generic[T]):
    """A whole answer. `validators`: to ask next time whether it is still the same."""

    value: T
    validators: Validators
    request_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Unchanged:
    """The answer is still the one whose validators were sent (304)."""


class BimeClient(BimeApi):
    """One account at Bime. `base_url` includes the version, such as `https://api.bimeapp.com/v2`.

    `tokens`: see `clients.bime_auth.StaticToken` for one that never changes.
    """

    allowed: ClassVar[tuple[Route, ...]] = tuple(
        ("GET", re.compile(f"{resource}(?:/{_ID.pattern})?")) for resource in bime_models.RESOURCES
    )

    def __init__(
        self,
        *,
        http: httpx.Client,
        base_url: str,
        tokens: TokenSource,
        gate: Gate | None = None,
        deadline: float = 20.0,
        max_bytes: int = 32 * MIB,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            http=http,
            base_url=base_url,
            gate=gate,
            deadline=deadline,
            max_bytes=max_bytes,
            clock=clock,
            monotonic=monotonic,
        )
        self._tokens = tokens

    def records(
        self, resource: Resource, known: Validators | None = None
    ) -> Fresh[list[Record]] | Unchanged:
        """All records of a list (GET /dashboards and the like), none where it is empty.

        `known`: the validators of the answer that is known. Raises the tree of `clients.errors`.
        """

        def read(answer: Answer) -> list[Record]:
            return answer.parsed(bime_models.LISTS[resource], unwrapped(answer))

        return self._take(resource, known, read)

    def record(
        self, resource: Resource, record_id: str, known: Validators | None = None
    ) -> Fresh[Record] | Unchanged:
        """One record (GET /dashboards/<id> and the like); ValueError for what can be no id."""
        if not _ID.fullmatch(record_id):
            raise ValueError("an id has letters, digits, - and _ only")

        def read(answer: Answer) -> Record:
            found = answer.parsed(bime_models.SINGLES[resource], unwrapped(answer))
            if found.id != record_id:
                raise answer.unexpected("field id is of another record")
            return found

        return self._take(f"{resource}/{record_id}", known, read)

    def _take(
        self, path: str, known: Validators | None, read: Callable[[Answer], T]
    ) -> Fresh[T] | Unchanged:
        # Raised here, where no frame has the body: it may hold other people's tokens.
        outcome = self._outcome(path, known or Validators(), read)
        if isinstance(outcome, errors.ClientError):
            raise outcome
        return outcome

    def _outcome(
        self, path: str, known: Validators, read: Callable[[Answer], T]
    ) -> Fresh[T] | Unchanged | errors.ClientError:
        answer = self._get(path, known.headers())
        if answer.status == httpx.codes.NOT_MODIFIED:
            return Unchanged()
        value = apart(read, answer)
        if isinstance(value, errors.ClientError):
            return value
        return Fresh(value, Validators.of(answer, now=self._clock()), answer.request_id)

    def _get(self, path: str, headers: dict[str, str]) -> Answer:
        token = self._tokens.access()
        try:
            return self._request("GET", path, headers=headers, credentials=bearer(token))
        except errors.AuthFailed:
            renewed = self._tokens.renew(token)
            if renewed == token:  # there is no other one
                raise
        return self._request("GET", path, headers=headers, credentials=bearer(renewed))
