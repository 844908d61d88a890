"""What is done about a difference: nothing to anybody's finished day without a yes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clients
from db.models import Feed
from db.models_points import Datapoint
from tasks import repairs
from tasks.comparison import Finding, Kind
from tasks.repairs import Deed, Repair

POINT = clients.Datapoint("b1", 9.0, "20261119", 999, requestid="wg-a")


def row(**more: Any) -> Datapoint:
    """A row of feed 1."""
    columns = {"goal_id": 1, "feed_id": 1, "requestid": "wg-a", "value": 7.0, "content_hash": "h"}
    return Datapoint(**columns | {"daystamp": "20261119", "state": "landed"} | more)


def finding(kind: Kind, *, finished: bool = True, pinned: bool = False, **columns: Any) -> Finding:
    """One finding about that row."""
    gone = kind in (Kind.DELETED, Kind.MISSING)
    return Finding(
        kind=kind,
        requestid="wg-a",
        there=None if gone else POINT,
        row=None if kind == Kind.FOREIGN else row(**columns),
        finished=finished,
        pinned=pinned,
    )


def feed(**more: Any) -> Feed:
    """Feed 1."""
    return Feed(id=1, goal_id=1, source_id=1, metric="m", **more)


def deed(found: Finding, repair: Repair = Repair.NOTHING, held: Feed | None = None) -> Deed:
    """What is done about it."""
    ((_, decided),) = repairs.deeds([found], {1: held or feed()}, repair=repair)
    return decided


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (finding(Kind.LANDED), "leave leave leave"),
        (finding(Kind.LANDED, frozen="deleted"), "thaw thaw thaw"),
        (finding(Kind.LANDED, frozen="edited"), "thaw thaw thaw"),
        (finding(Kind.PENDING), "leave leave leave"),
        (finding(Kind.HELD), "leave leave leave"),
        (finding(Kind.REJECTED), "leave leave leave"),
        (finding(Kind.FOREIGN), "leave leave leave"),
        (finding(Kind.MISSING), "leave write write"),
        (finding(Kind.LATE), "queue write write"),
        (finding(Kind.LATE, state="held"), "leave write write"),
        (finding(Kind.DELETED), "freeze freeze accept"),
        (finding(Kind.DELETED, frozen="edited"), "freeze freeze accept"),
        (finding(Kind.DELETED, frozen="deleted"), "leave leave accept"),
        (finding(Kind.DELETED, finished=False), "leave leave leave"),
        (finding(Kind.EDITED), "freeze freeze write"),
        (finding(Kind.EDITED, frozen="edited"), "leave leave write"),
        (finding(Kind.EDITED, frozen="deleted"), "freeze freeze write"),
        (finding(Kind.EDITED, finished=False), "leave write write"),
        (finding(Kind.EDITED, pinned=True), "leave leave leave"),
        (finding(Kind.EDITED, finished=False, pinned=True), "leave leave leave"),
        (finding(Kind.MOVED), "leave leave write"),
        (finding(Kind.MOVED, finished=False), "leave write write"),
    ],
)
def test_each_kind_by_how_much_is_to_be_repaired(found: Finding, expected: str) -> None:
    """Nothing asked, a repair, and a repair with a yes."""
    assert [deed(found, repair).value for repair in Repair] == expected.split()


def test_the_source_wins_where_its_owner_said_so() -> None:
    """`on_edit = "source"` is a standing yes for edits, and not for deletions."""
    wins = feed(options={"on_edit": "source"})
    assert deed(finding(Kind.EDITED), held=wins) == Deed.QUEUE
    assert deed(finding(Kind.EDITED, pinned=True), held=wins) == Deed.LEAVE
    assert deed(finding(Kind.DELETED), Repair.OURS, wins) == Deed.FREEZE


def test_a_doubtful_feed_accuses_nobody() -> None:
    """After a fenced push the value may be our own: the sync that is due reads it back."""
    assert deed(finding(Kind.EDITED), held=feed(doubtful=True)) == Deed.LEAVE


def test_feeds_that_somebody_else_holds_are_left() -> None:
    """Only under its lease is anything of a feed written."""
    ((_, decided),) = repairs.deeds([finding(Kind.EDITED)], {2: feed()}, repair=Repair.EDITS)
    assert decided == Deed.LEAVE


@pytest.mark.parametrize(("gone", "left", "frozen"), [(3, 0, 3), (4, 0, 0), (4, 1, 4)])
def test_everything_gone_at_once_is_not_believed(gone: int, left: int, frozen: int) -> None:
    """More than a few points, and none that is there: that is a fault until it is seen again."""
    findings = [finding(Kind.DELETED)] * gone + [finding(Kind.LANDED)] * left
    decided = repairs.deeds(findings, {1: feed()}, repair=Repair.NOTHING)
    assert [deed for _, deed in decided].count(Deed.FREEZE) == frozen


@given(
    kind=st.sampled_from(Kind),
    repair=st.sampled_from(Repair),
    finished=st.booleans(),
    pinned=st.booleans(),
    frozen=st.sampled_from([None, "edited", "deleted"]),
    state=st.sampled_from(["pending", "held", "landed", "rejected", "withdrawn"]),
    on_edit=st.sampled_from(["keep", "source"]),
)
def test_no_finished_day_of_a_persons_is_written_without_a_yes(
    *,
    kind: Kind,
    repair: Repair,
    finished: bool,
    pinned: bool,
    frozen: str | None,
    state: str,
    on_edit: str,
) -> None:
    """For every finding: writing needs a yes or `on_edit`, and a deletion is never undone."""
    found = finding(kind, finished=finished, pinned=pinned, frozen=frozen, state=state)
    done = deed(found, repair, feed(options={"on_edit": on_edit}))
    if done in (Deed.WRITE, Deed.QUEUE):
        assert kind not in (Kind.DELETED, Kind.FOREIGN)
        assert not pinned
        if kind == Kind.EDITED and finished:
            assert repair == Repair.EDITS or on_edit == "source"


def test_the_words_name_the_day_and_both_values() -> None:
    """What a person reads in the notice."""
    told = repairs.words(finding(Kind.EDITED))
    assert "2026-11-19" in told
    assert "edited at Beeminder to 9" in told
    assert "; 7," in told
    assert "deleted" in repairs.words(finding(Kind.DELETED))
    assert "on 20261119" in repairs.words(finding(Kind.EDITED, daystamp="20261118"))
