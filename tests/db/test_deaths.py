"""Deaths: who died is known by who died with it."""

import pytest

from db import deaths, feeds
from db.deaths import Burial
from db.engine import Ledger
from db.feeds import LEASE_SECONDS, FencedError
from db.models import Feed
from tests.db.dying import (
    NOW,
    ONE,
    OVER,
    TWO,
    bury,
    change,
    claim,
    feed,
    heard_of,
)
from tests.tasks.scenes import at_once

pytestmark = pytest.mark.usefixtures("linked")


def test_a_lease_that_lasts_or_was_given_back_is_no_death(ledger: Ledger) -> None:
    """Nothing is counted before its end, after a release, or when a process stops in order."""
    (held, _) = claim(ledger)
    assert bury(ledger, OVER - 0.001) == []
    with ledger.write() as session:
        feeds.release(session, held)
        assert feeds.hand_back(session, owner="w") == 1

    assert bury(ledger, OVER + 60) == []
    assert (feed(ledger).deaths, feed(ledger, TWO).deaths) == (0, 0)
    assert not feed(ledger, TWO).suspect


def test_who_dies_alone_is_counted_and_runs_alone(ledger: Ledger) -> None:
    """It is a suspect: usual claims leave it, one that says so takes it."""
    change(ledger, TWO, due_at=OVER + 99)
    claim(ledger)

    assert bury(ledger) == [Burial(owner="w", lives=False, counted=ONE)]

    row = feed(ledger)
    assert (row.deaths, row.suspect, row.lease_owner) == (1, True, None)
    assert claim(ledger, now=OVER) == []
    (held,) = claim(ledger, now=OVER, alone=True)
    assert (held.feed_id, held.epoch) == (ONE, 2)


def test_nobody_waits_for_the_leases_of_the_gone(ledger: Ledger) -> None:
    """Known to be over, although heard of just now: what it held together is free to be tried."""
    claim(ledger)
    heard_of(ledger, NOW + 1)

    with ledger.write() as session:
        found = deaths.bury(session, NOW + 2, gone=["w", "somebody without a lease"])

    assert found == [Burial(owner="w", lives=False, suspects=(ONE, TWO))]
    assert claim(ledger, now=NOW + 2) == []
    (held,) = claim(ledger, now=NOW + 2, alone=True)
    assert held.epoch == 2


def test_what_killed_the_gone_alone_waits_as_long_as_ever(ledger: Ledger) -> None:
    """It has time until what killed it may be over, however soon the death is known."""
    change(ledger, TWO, due_at=OVER + 99)
    claim(ledger)

    with ledger.write() as session:
        assert deaths.bury(session, NOW + 2, gone=["w"])[0].counted == ONE

    assert claim(ledger, now=OVER - 0.001, alone=True) == []
    assert [held.feed_id for held in claim(ledger, now=OVER, alone=True)] == [ONE]


def test_those_that_die_together_are_not_counted(ledger: Ledger) -> None:
    """Nobody knows who did it: each of them is tried alone, one at a time."""
    claim(ledger)

    assert bury(ledger) == [Burial(owner="w", lives=False, suspects=(ONE, TWO))]

    assert [(row.deaths, row.suspect) for row in (feed(ledger), feed(ledger, TWO))] == [
        (0, True),
        (0, True),
    ]
    assert len(claim(ledger, now=OVER, alone=True)) == 1


def test_what_the_dead_process_had_claimed_later_died_with_it(ledger: Ledger) -> None:
    """Its leases end at different times: whoever is left of them did not die alone."""
    change(ledger, TWO, due_at=NOW + 5)
    claim(ledger)
    claim(ledger, now=NOW + 5)

    (burial,) = bury(ledger)

    assert burial.suspects == (ONE, TWO)
    assert claim(ledger, now=OVER + 4.9, alone=True)[0].feed_id == ONE
    assert claim(ledger, now=OVER + 4.9, alone=True) == []  # the other lease is kept to
    assert bury(ledger, OVER + 60)[0].owner == "w"
    assert feed(ledger, TWO).deaths == 0


def test_an_ended_lease_is_looked_into_before_it_is_taken(ledger: Ledger) -> None:
    """No claim of any kind takes a feed that nobody has buried."""
    claim(ledger)
    assert claim(ledger, now=OVER + 60) == []
    bury(ledger, OVER + 60)
    assert len(claim(ledger, now=OVER + 60, alone=True)) == 1


def test_two_who_look_at_once_count_once(ledger: Ledger) -> None:
    """Eight workers bury at the same moment: one death."""
    change(ledger, TWO, due_at=OVER + 99)
    claim(ledger)

    found = at_once(8, lambda _: bury(ledger))

    assert sum(len(burials) for burials in found if isinstance(burials, list)) == 1
    assert feed(ledger).deaths == 1


def test_the_late_holder_is_fenced_by_the_burial(ledger: Ledger) -> None:
    """A worker that was taken for dead writes nothing any more, claimed again or not."""
    held, _ = claim(ledger)
    bury(ledger)
    with pytest.raises(FencedError), ledger.write() as session:
        feeds.hold(session, held, OVER)


def test_a_thread_that_hangs_dies_without_its_process(ledger: Ledger) -> None:
    """Its lease was given up while the process lives: the other leases of that are left alone."""
    claim(ledger, limit=1)
    claim(ledger)
    for at in (NOW + 3, NOW + 6, NOW + 9):
        with ledger.write() as session:
            feeds.renew(session, owner="w", feed_ids=[TWO], now=at)
        heard_of(ledger, at)

    assert bury(ledger) == [Burial(owner="w", lives=True, counted=ONE)]

    assert (feed(ledger, TWO).lease_owner, feed(ledger, TWO).suspect) == ("w", False)


def test_feeds_of_one_thread_that_hangs_died_together(ledger: Ledger) -> None:
    """Also when one of them was held a little longer than the others."""
    claim(ledger)
    with ledger.write() as session:
        feeds.renew(session, owner="w", feed_ids=[TWO], now=NOW + 2.5)
    heard_of(ledger, NOW + 9)

    assert bury(ledger) == [Burial(owner="w", lives=True, suspects=(ONE, TWO))]


@pytest.mark.parametrize(("silent", "lives"), [(2.0, True), (5.9, True), (6.0, False)])
def test_who_has_missed_two_heartbeats_is_gone(
    ledger: Ledger, silent: float, *, lives: bool
) -> None:
    """Then everything that it held died with it."""
    claim(ledger, limit=1)
    claim(ledger)
    with ledger.write() as session:
        feeds.renew(session, owner="w", feed_ids=[TWO], now=OVER - silent)
    heard_of(ledger, OVER - silent)

    (burial,) = bury(ledger)

    assert (burial.lives, burial.counted) == (lives, ONE if lives else None)


def test_one_that_began_alone_is_counted_beside_those_that_came_later(ledger: Ledger) -> None:
    """It hung past its time alone and killed all: the newcomers are tried alone, uncounted."""
    change(ledger, suspect=True, deaths=1)
    claim(ledger, alone=True)
    claim(ledger)

    assert bury(ledger) == [Burial(owner="w", lives=False, counted=ONE, suspects=(TWO,))]
    assert (feed(ledger).deaths, feed(ledger, TWO).deaths) == (2, 0)


GOOD_ENDS = {
    "finish": lambda s, h: feeds.finish(s, h, now=NOW, next_at=NOW, written=1),
    "release": lambda s, h: feeds.release(s, h, done=True),
}
OTHER_ENDS = {
    "fail": lambda s, h: feeds.fail(s, h, now=NOW, next_at=NOW, error={"code": "", "message": ""}),
    "put_back": lambda s, h: feeds.put_back(
        s, h, due_at=NOW, error={"message": ""}, deferred=False, now=NOW
    ),
    "deferral": lambda s, h: feeds.put_back(
        s, h, due_at=NOW, error={"message": ""}, deferred=True, now=NOW
    ),
    "rest": lambda s, h: feeds.rest(
        s, h, now=NOW, next_at=NOW, error={"code": "goal_frozen", "message": ""}
    ),
    "given back": feeds.release,
    "handed back": lambda s, _: feeds.hand_back(s, owner="w"),
}


@pytest.mark.parametrize("end", GOOD_ENDS)
@pytest.mark.parametrize("deaths", [0, 4])
def test_a_good_end_begins_to_count_anew(ledger: Ledger, end: str, deaths: int) -> None:
    """The worker has lived through it: no suspect any more, whether it had died alone or not."""
    change(ledger, deaths=deaths, suspect=True, suspect_of="sync ")
    (held,) = claim(ledger, alone=True)
    with ledger.write() as session:
        GOOD_ENDS[end](session, held)
    row = feed(ledger)
    assert (row.deaths, row.suspect, row.suspect_of) == (0, False, "")


@pytest.mark.parametrize("end", OTHER_ENDS)
@pytest.mark.parametrize("deaths", [0, 4])
def test_whatever_was_not_done_proves_nothing(ledger: Ledger, end: str, deaths: int) -> None:
    """Told to wait, refused or given back, it may not have come to where it kills: it still counts.

    Else one that dies at every second try would never be found.
    """
    change(ledger, deaths=deaths, suspect=True, suspect_of="sync ")
    (held,) = claim(ledger, alone=True)
    with ledger.write() as session:
        OTHER_ENDS[end](session, held)
    row = feed(ledger)
    assert (row.deaths, row.suspect, row.suspect_of) == (deaths, True, "sync ")


@pytest.mark.parametrize(("count", "of_a_crowd"), [(10, False), (11, True)])
def test_more_than_ten_are_a_crowd(ledger: Ledger, count: int, *, of_a_crowd: bool) -> None:
    """Those of one source are tried together once more; then each of them alone, uncounted."""
    with ledger.write() as session:
        for number in range(3, count + 1):
            session.add(Feed(id=number, goal_id=1, source_id=1, label=str(number), metric="m"))
    claim(ledger)
    bury(ledger)

    again = claim(ledger, now=OVER, alone=True)
    assert len(again) == (count if of_a_crowd else 1)
    bury(ledger, OVER + LEASE_SECONDS)

    assert len(claim(ledger, now=OVER + LEASE_SECONDS, alone=True)) == 1
    assert {feed(ledger, number).deaths for number in range(1, count + 1)} == (
        {0} if of_a_crowd else {0, 1}
    )


def test_a_lease_that_was_taken_a_moment_ago_is_not_given_up(ledger: Ledger) -> None:
    """Its claim took long to be written, so the last heartbeat could not know of it."""
    claim(ledger, limit=1)
    claim(ledger, now=NOW + 7)
    heard_of(ledger, NOW + 9.5)

    assert bury(ledger) == [Burial(owner="w", lives=True, counted=ONE)]

    assert (feed(ledger, TWO).lease_owner, feed(ledger, TWO).suspect) == ("w", False)
