"""From what stands in the file to what a BEMServer is asked with: ids of series and of states.

What a name means, and what unit a series has, is learned once and remembered (`tasks.knowledge`).
Only numbers and units are, nothing else of the server's answers.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pydantic import TypeAdapter

import clients
from clients.errors import NotFound
from tasks.knowledge import Knowledge

# The server refuses an id that it does not know, and then it is asked again what is meant.
ID_FOR_SECONDS = 86400.0
# A name may be given to another series, and the old one goes on answering.
NAME_FOR_SECONDS = 3600.0

T = TypeVar("T")


class Named(Protocol):
    """What a feed names; see `tasks.metrics.bemserver.Params`."""

    timeseries: int | str
    campaign: int | str | None
    data_state: str


@dataclass(frozen=True, slots=True)
class Series:
    """A series by its id, and its unit: "" for a plain number."""

    id: int
    unit: str


@dataclass(frozen=True, slots=True)
class Meant:
    """The series and the data state, by id, that a feed means."""

    series: Series
    state: int


_SERIES = TypeAdapter(Series)
_ID = TypeAdapter(int)


@dataclass(slots=True)
class Names:
    """What feeds mean, for one read: each list of the server is asked for once in it at most."""

    client: clients.BemserverClient
    knowledge: Knowledge
    _states: dict[str, int] | None = None
    _campaigns: list[clients.Campaign] | None = None
    _asked: set[str] = field(default_factory=set)

    def look_up(self, wanted: Iterable[Named]) -> None:
        """Read what any process has learned of these, with one question at the most."""
        self.knowledge.look_up(
            {name: within for one in wanted for name, within in _of(one).items()}
        )

    def meant(self, wanted: Named) -> Meant:
        """What a feed means. `NotFound` says what there is instead.

        Raises the tree of `clients.errors`, and `ClosedError`.
        """
        state = self._once(
            _state(wanted), _ID, ID_FOR_SECONDS, lambda: self._find_state(wanted.data_state)
        )
        return Meant(self._series(wanted), state)

    def remembered(self, wanted: Named) -> bool:
        """Was any of it not asked for in this read?"""
        return not _of(wanted).keys() <= self._asked

    def forget(self, wanted: Iterable[Named]) -> None:
        """Know nothing of what these mean: the server is asked next time."""
        self.knowledge.forget({name for one in wanted for name in _of(one)})

    def _series(self, wanted: Named) -> Series:
        series = wanted.timeseries
        if isinstance(series, int):
            return self._once(
                _series(wanted),
                _SERIES,
                ID_FOR_SECONDS,
                lambda: _as_series(self.client.timeseries_by_id(series)),
            )
        return self._once(
            _series(wanted),
            _SERIES,
            NAME_FOR_SECONDS,
            lambda: _as_series(self.client.timeseries_named(series, self._campaign(wanted))),
        )

    def _campaign(self, wanted: Named) -> int:
        campaign = wanted.campaign
        if isinstance(campaign, int):
            return campaign
        return self._once(
            _campaign(wanted), _ID, NAME_FOR_SECONDS, lambda: self._find_campaign(campaign)
        )

    def _find_state(self, name: str) -> int:
        if self._states is None:
            self._states = self.client.data_states()
        if name not in self._states:
            known = ", ".join(sorted(self._states))
            message = f"the server has no data state {name!r}; it has: {known}"
            raise NotFound(message, reason="unknown_data_state")
        return self._states[name]

    def _find_campaign(self, name: str | None) -> int:
        if self._campaigns is None:
            self._campaigns = self.client.campaigns()
        for campaign in self._campaigns:
            if campaign.name == name:
                return campaign.id
        names = ", ".join(sorted(campaign.name for campaign in self._campaigns)) or "none"
        message = f"no campaign {name!r} is visible to this login; visible: {names}"
        raise NotFound(message, reason="unknown_campaign")

    def _once(self, name: str, shape: TypeAdapter[T], within: float, ask: Callable[[], T]) -> T:
        known = self.knowledge.get(name, shape, within=within)
        if known is None:
            known = ask()
            self.knowledge.learn(name, shape, known)
            self._asked.add(name)
        return known


def _as_series(found: clients.Timeseries) -> Series:
    return Series(found.id, found.unit_symbol)


def _of(wanted: Named) -> dict[str, float]:
    """The names of all that has to be known for a feed, and for how long that is believed."""
    if isinstance(wanted.timeseries, int):
        return {_state(wanted): ID_FOR_SECONDS, _series(wanted): ID_FOR_SECONDS}
    names = {_state(wanted): ID_FOR_SECONDS, _series(wanted): NAME_FOR_SECONDS}
    return names | (
        {_campaign(wanted): NAME_FOR_SECONDS} if isinstance(wanted.campaign, str) else {}
    )


def _state(wanted: Named) -> str:
    return json.dumps(["state", wanted.data_state])


def _series(wanted: Named) -> str:
    return json.dumps(["series", wanted.timeseries, wanted.campaign])


def _campaign(wanted: Named) -> str:
    return json.dumps(["campaign", wanted.campaign])
