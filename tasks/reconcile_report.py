"""What reconciling found and did, as a person or a script reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tasks.comparison import DIFFERENT, WAITING, Finding, Kind


class Done(StrEnum):
    """What became of a finding."""

    LEFT = "left"
    FROZEN = "frozen"  # a person's from now on
    ACCEPTED = "accepted"  # gone, as its owner wants it: not told again
    THAWED = "thawed"  # there again as the ledger says: ours again
    QUEUED = "queued"  # goes out with the outbox
    WRITTEN = "written"  # sent, and not looked at yet
    REPAIRED = "repaired"  # sent, and seen there
    FAILED = "failed"  # sent or to be sent, and not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding and what became of it; `why` says what went wrong."""

    finding: Finding
    done: Done = Done.LEFT
    why: str | None = None

    @property
    def differs(self) -> bool:
        """Is it still not as the ledger says?"""
        return self.finding.kind in DIFFERENT and self.done != Done.REPAIRED

    @property
    def needs_a_yes(self) -> bool:
        """Would it be written over if its owner said so?"""
        theirs = self.finding.kind in (Kind.EDITED, Kind.MOVED)
        return self.differs and theirs and self.finding.finished and not self.finding.pinned


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a goal stands: `equal` points are there as the ledger says, the others are told.

    `feeds`: the names of the goal's feeds by id.
    """

    name: str
    equal: int
    told: tuple[Told, ...]
    feeds: Mapping[int, str]

    @property
    def differences(self) -> list[Told]:
        """What was found to differ, repaired or not."""
        return [one for one in self.told if one.finding.kind in DIFFERENT]

    @property
    def waiting(self) -> list[Told]:
        """What is still to be written, held, or refused: no difference by itself."""
        return [one for one in self.told if one.finding.kind in WAITING]

    @property
    def settled(self) -> bool:
        """Does nothing differ any more?"""
        return not any(one.differs for one in self.told)

    def feed_of(self, one: Told) -> str:
        """The name of the feed that the point belongs to, the goal's where that is not known."""
        row = one.finding.row
        return self.name if row is None else self.feeds.get(row.feed_id, self.name)

    def as_json(self) -> dict[str, Any]:
        """The stable keys of `waggle reconcile --json`."""
        return {
            "goal": self.name,
            "equal": self.equal,
            "differences": [self._as_json(one) for one in self.differences],
            "waiting": [self._as_json(one) for one in self.waiting],
        }

    def _as_json(self, one: Told) -> dict[str, Any]:
        finding = one.finding
        return {
            "feed": self.feed_of(one),
            "daystamp": finding.daystamp,
            "requestid": finding.requestid,
            "kind": finding.kind.value,
            "beeminder": None if finding.there is None else finding.there.value,
            "ledger": None if finding.row is None else finding.row.value,
            "done": one.done.value,
        }
