"""Reads feeds of one key at BM Parts, each by itself; what several of them ask is asked once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import clients
from clients import bmparts_numbers, json_pointer
from clients.answers import Answer as VendorAnswer
from clients.bmparts_numbers import NotANumberError
from clients.errors import AuthFailed, ClientError
from tasks.days import Window
from tasks.metrics import bmparts_params as params
from tasks.providers import Answer, Found, Reading, Request, one_by_one

SECOND = 1.0  # what instants are told in

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """See `tasks.providers.Connection`; nothing is kept from one read to the next."""

    client: clients.BmpartsClient

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """Readings per feed and day."""
        return one_by_one(requests, _Round(self.client, requests).readings)

    def look(self) -> Sequence[Found]:
        """The profile, which proves the key, and the kinds of documents."""
        profile = self.client.profile()
        kinds = self.client.document_types()
        return (
            # Where no id is told, what stands for it in the vendor's own path.
            Found("profile", profile.uuid or "me", profile.name, "the key is accepted"),
            *(Found("document type", kind.code, kind.name) for kind in kinds),
        )


@dataclass(slots=True)
class _Round:
    """One read: what was asked in it already is known."""

    client: clients.BmpartsClient
    requests: Sequence[Request]
    _known: dict[tuple[object, ...], object] = field(default_factory=dict)

    def readings(self, request: Request) -> Mapping[str, Reading]:
        """What one feed is told."""
        match request.params:
            case params.Documents(type=code):
                return self._documents(request, code)
            case params.Searches():
                return self._searches(request)
            case params.Open():
                return _now(request, lambda _: self._open(request.metric))
            case params.Value() as now:
                return _now(request, lambda day: self._value(now, day if now.period else None))
            case params.Total() as total:
                return _each(request, lambda day: self._value(total, day))
        message = f"{type(request.params).__name__} are not parameters of BM Parts"
        raise TypeError(message)

    def _documents(self, request: Request, code: str | None) -> Mapping[str, Reading]:
        """How many of each day, by lists that may overlap at midnight.

        Documents tell no instant of their own, and nobody says whether the end of a period is part
        of it, to the second or to the day. So each day is asked for up to the beginning of the next
        one, and what both lists have is the next one's: nothing is lost, nothing counts twice.
        """
        days = [day for day in request.days if _lasts(day)]
        found = [self._ids(day.starts_at, day.ends_at, code) for day in days]
        counts = {day.daystamp: 0 for day in request.days}
        for number, day in enumerate(days):
            if number + 1 < len(days):
                after = found[number + 1]
            elif day.ends_at <= request.now:
                after = self._ids(day.ends_at, day.ends_at + SECOND, code)
            else:
                after = frozenset()
            counts[day.daystamp] = len(found[number] - after)
        return {stamp: Reading(float(count), "documents") for stamp, count in counts.items()}

    def _ids(self, first: float, last: float, code: str | None) -> frozenset[str]:
        return self._once(
            ("documents", code, first, last),
            lambda: self.client.documents(first, last, type_code=code),
        )

    def _searches(self, request: Request) -> Mapping[str, Reading]:
        """One walk through the history serves all days of all feeds."""
        asked = [one.days for one in self.requests if isinstance(one.params, params.Searches)]
        since = min((day.starts_at for days in asked for day in days), default=request.now)
        instants = self._once(("searches",), lambda: self.client.searches(since))
        return {
            day.daystamp: Reading(
                float(sum(day.starts_at <= at < day.ends_at for at in instants)), "searches"
            )
            for day in request.days
        }

    def _open(self, metric: str) -> Reading:
        if metric == "open_carts":
            return Reading(float(self._once((metric,), self.client.count_carts)), "carts")
        return Reading(float(self._once((metric,), self.client.count_reserves)), "reserves")

    def _value(self, place: params.Value | params.Total, day: Window | None) -> Reading:
        start, end = (None, None) if day is None else (day.starts_at, day.ends_at)
        answer = self._once(
            ("document", place.path, start, end),
            lambda: self.client.document(place.path, start=start, end=end),
        )
        return Reading(_number(answer, place.pointer))

    def _once(self, key: tuple[object, ...], ask: Callable[[], T]) -> T:
        """What was asked before in this round, an error of it included."""
        if key not in self._known:
            try:
                self._known[key] = ask()
            except AuthFailed:
                raise
            except ClientError as error:
                self._known[key] = error
        known = self._known[key]
        if isinstance(known, ClientError):
            raise known
        return known  # type: ignore[return-value] # what `ask` of this key gave


def _each(request: Request, ask: Callable[[Window], Reading]) -> dict[str, Reading]:
    """Every day by itself; one without a time in it has nothing and is not asked about."""
    return {day.daystamp: ask(day) if _lasts(day) else Reading(0.0) for day in request.days}


def _lasts(day: Window) -> bool:
    return day.ends_at - day.starts_at >= SECOND


def _now(request: Request, ask: Callable[[Window], Reading]) -> dict[str, Reading]:
    """The day that it is: others have gone by, or are not there yet."""
    today = [day for day in request.days if day.starts_at <= request.now < day.ends_at]
    return {day.daystamp: ask(day) for day in today}


def _number(answer: VendorAnswer, pointer: str) -> float:
    """The number at this place of an answer; UnexpectedResponse says where it ended, and why."""
    place = json_pointer.parse(pointer)
    try:
        return bmparts_numbers.number(json_pointer.resolve(answer.json(), place))
    except LookupError as error:
        problem = str(error.args[0])
    except NotANumberError as error:
        problem = str(error)
    raise answer.unexpected(f"pointer {pointer}: {problem}", reason="no_number")
