"""What is done about a difference between the ledger and Beeminder. Pure.

What a person edited or deleted on a day that is over is theirs: it is left alone from then on, and
only they have it written over. What was deleted is never restored; once they have said that it is
meant, it is no difference any more.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum

from db.models import Feed
from db.models_points import Datapoint
from db.names import dashed
from db.states import DatapointState
from tasks.comparison import WAITING, Finding, Kind

MANY = 3
EDITED, DELETED = "edited", "deleted"


class Repair(IntEnum):
    """How much a person wants mended."""

    NOTHING = 0
    OURS = 1  # what nobody edited, and the day that is still open
    EDITS = 2  # what persons edited on finished days as well


class Deed(StrEnum):
    """What is done about one finding."""

    LEAVE = "leave"
    FREEZE = "freeze"  # it is a person's from now on
    ACCEPT = "accept"  # it is gone, and its owner says that this is right
    THAW = "thaw"  # it is there again as the ledger says
    QUEUE = "queue"  # it goes out with the outbox
    WRITE = "write"  # it is written now


def deeds(
    findings: Sequence[Finding], feeds: Mapping[int, Feed], *, repair: Repair
) -> list[tuple[Finding, Deed]]:
    """What to do about each; `feeds` are those whose lease is held, the others' points are left."""
    gone = [f for f in findings if f.kind == Kind.DELETED and _frozen(f) != DELETED]
    # A goal that somebody emptied and a server that answers with nothing look the same.
    emptied = len(gone) > MANY and not any(f.row and f.there for f in findings)
    decided = []
    for finding in findings:
        feed = None if finding.row is None else feeds.get(finding.row.feed_id)
        deed = Deed.LEAVE if feed is None else _deed(finding, feed, repair)
        if emptied and deed in (Deed.FREEZE, Deed.ACCEPT) and finding.kind == Kind.DELETED:
            deed = Deed.LEAVE
        decided.append((finding, deed))
    return decided


def _deed(finding: Finding, feed: Feed, repair: Repair) -> Deed:
    frozen = _frozen(finding)
    if finding.kind == Kind.LANDED:
        return Deed.LEAVE if frozen is None else Deed.THAW
    if finding.pinned or finding.kind in WAITING:
        return Deed.LEAVE
    if finding.kind == Kind.DELETED:
        return _of_deleted(finding, repair)
    if finding.kind == Kind.EDITED:
        return _of_edited(finding, feed, repair)
    if finding.kind == Kind.LATE and _state(finding) != DatapointState.HELD:
        return Deed.WRITE if repair else Deed.QUEUE
    allowed = Repair.EDITS if finding.kind == Kind.MOVED and finding.finished else Repair.OURS
    return Deed.WRITE if repair >= allowed else Deed.LEAVE


def _of_deleted(finding: Finding, repair: Repair) -> Deed:
    if not finding.finished:
        return Deed.LEAVE
    if repair == Repair.EDITS:
        return Deed.ACCEPT
    return Deed.FREEZE if _frozen(finding) != DELETED else Deed.LEAVE


def _of_edited(finding: Finding, feed: Feed, repair: Repair) -> Deed:
    if not finding.finished:
        return Deed.WRITE if repair else Deed.LEAVE
    if repair == Repair.EDITS:
        return Deed.WRITE
    if feed.options.get("on_edit") == "source":
        return Deed.WRITE if repair else Deed.QUEUE
    if feed.doubtful or _frozen(finding) == EDITED:
        return Deed.LEAVE  # in doubt it may have been one of our own workers
    return Deed.FREEZE


def words(finding: Finding) -> str:
    """What a person is told about a point that is theirs from now on."""
    stamp, row = finding.daystamp, finding.row
    day = dashed(stamp)
    if finding.there is None or row is None:
        return f"{day}: the datapoint was deleted at Beeminder and stays so"
    place = "" if finding.there.daystamp == row.daystamp else f" on {finding.there.daystamp}"
    return (
        f"{day}: the datapoint was edited at Beeminder to {finding.there.value:.12g}{place}; "
        f"{value_of(row):.12g}, which Waggle had for it, is not written"
    )


def value_of(row: Datapoint) -> float:
    """What the ledger stands for: a correction that is held is not that yet."""
    if row.state == DatapointState.HELD and row.landed_value is not None:
        return row.landed_value
    return row.value


def _frozen(finding: Finding) -> str | None:
    return None if finding.row is None else finding.row.frozen


def _state(finding: Finding) -> str | None:
    return None if finding.row is None else finding.row.state
