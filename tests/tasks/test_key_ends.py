"""Keys that end by themselves: told once, a month before, and not for keys that are gone."""

import dataclasses
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from db import needs, notices
from db.engine import Ledger
from db.models import Feed, Source
from db.states import FeedState
from db.vault import Vault
from tasks import declare, declare_file, housekeeping, key_ends, providers
from tasks.declare_problems import DeclarationError
from tasks.declare_sources import HTTPS
from tasks.metrics import bemserver
from tests.tasks.scenes import change_feed
from tests.tasks.test_declare import FILE, KEY
from tests.world import DAY, World

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
SHOP = dataclasses.replace(bemserver.PROVIDER, name="shop", title="The Shop", key_days=365)
SHOP_FILE = FILE.replace('"bemserver"', '"shop"')
PASSWORD_LINE = 'password = "canary-password"'


def made(day: str, text: str = SHOP_FILE) -> str:
    """The file with the day on which its key was made, as TOML spells it."""
    return text.replace(PASSWORD_LINE, f"{PASSWORD_LINE}\nkey_made = {day}")


def apply(ledger: Ledger, text: str = SHOP_FILE, *, now: float = NOW) -> tuple[str, ...]:
    """Apply a file; returns what changed of its source, ("created",) for a new one."""
    declaration = declare_file.parse(
        text,
        file="waggle.toml",
        env={},
        providers={**providers.table(), "shop": SHOP},
        addresses=HTTPS,
        now=now,
    )
    done = declare.apply(ledger, Vault([KEY]), declaration, now=now)
    (change,) = [change for change in done.changes if change.kind == "source"]
    return change.details if change.action == "changed" else (change.action,)


def ends_at(ledger: Ledger) -> float | None:
    """When the key of the only source ends."""
    with ledger.read() as session:
        return session.exec(select(Source)).one().key_ends_at


def told(ledger: Ledger, now: float = NOW) -> list[str]:
    """Look at the keys; the open notices about them."""
    with ledger.write() as session:
        key_ends.tell(session, {"shop": SHOP}, now)
    with ledger.read() as session:
        return [row.message for row in notices.open_for(session) if row.kind == key_ends.KIND]


def instant(year: int, month: int, day: int) -> float:
    """Its beginning in UTC."""
    return datetime(year, month, day, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("spelled", ["2026-03-01", '"2026-03-01"'])
def test_a_key_ends_so_long_after_it_was_made(ledger: Ledger, spelled: str) -> None:
    """The day in the file counts, as a date or as text; the same file again changes nothing."""
    apply(ledger, made(spelled))
    assert ends_at(ledger) == instant(2027, 3, 1)
    assert apply(ledger, made(spelled), now=NOW + DAY) == ("unchanged",)
    assert ends_at(ledger) == instant(2027, 3, 1)


def test_without_a_day_it_is_counted_from_when_it_was_first_seen(ledger: Ledger) -> None:
    """That does not move with each apply, nor with a change of something else."""
    apply(ledger)
    assert ends_at(ledger) == NOW + 365 * DAY
    assert apply(ledger, now=NOW + DAY) == ("unchanged",)
    assert apply(ledger, SHOP_FILE.replace("bem.", "b."), now=NOW + 2 * DAY) == ("url",)
    assert ends_at(ledger) == NOW + 365 * DAY


def test_a_day_that_is_told_later_is_believed_and_kept(ledger: Ledger) -> None:
    """It is a change, ends no login, wakes nothing, and stays when the line is taken out again."""
    apply(ledger)
    with ledger.write() as session:
        source = session.exec(select(Source)).one()
        source.token_version = 7
        session.add(source)

    assert apply(ledger, made("2026-03-01")) == ("key_made",)
    assert apply(ledger) == ("unchanged",)

    assert ends_at(ledger) == instant(2027, 3, 1)
    with ledger.read() as session:
        assert session.exec(select(Source)).one().token_version == 7


def test_a_new_key_ends_later_and_clears_the_notice(ledger: Ledger) -> None:
    """It is counted anew from today, and the month before its end it is told again."""
    apply(ledger)
    late = NOW + 340 * DAY
    assert len(told(ledger, late)) == 1

    new = SHOP_FILE.replace("canary-password", "canary-new")
    assert apply(ledger, new, now=late) == ("password",)

    assert ends_at(ledger) == late + 365 * DAY
    with ledger.read() as session:
        assert notices.open_for(session) == []
    assert told(ledger, late) == []
    assert len(told(ledger, late + 336 * DAY)) == 1


def test_a_provider_whose_keys_do_not_end(ledger: Ledger) -> None:
    """Nothing is counted, `key_made` is an unknown key, and a change of provider forgets."""
    apply(ledger)
    assert len(told(ledger, NOW + 340 * DAY)) == 1
    apply(ledger, FILE)
    assert ends_at(ledger) is None
    assert told(ledger, NOW + 340 * DAY) == []
    with pytest.raises(DeclarationError, match=r"sources\.plant\.key_made: unknown key"):
        apply(ledger, made("2026-03-01", FILE))


@pytest.mark.parametrize(
    ("day", "wrong"),
    [("2026-11-22", "in the future"), ('"soon"', "has to be a date"), ("5", "has to be a date")],
)
def test_a_day_that_is_none_is_told(ledger: Ledger, day: str, wrong: str) -> None:
    """With its key in the file, together with everything else that is wrong."""
    text = made(day).replace('email = "alice@example.org"', "")
    with pytest.raises(DeclarationError) as caught:
        apply(ledger, text)
    first, second = caught.value.problems
    assert "sources.plant.key_made: " in first
    assert wrong in first
    assert "sources.plant.email: is missing" in second


def test_the_owner_is_told_a_month_before_once(ledger: Ledger) -> None:
    """Under a name that people know, with the day and what to do; the end changes the words."""
    apply(ledger, made("2026-03-01"))
    month_before = instant(2027, 1, 30)
    assert told(ledger, month_before - 1) == []

    (said,) = told(ledger, month_before)
    assert "The Shop ends on 2027-03-01 at the latest" in said
    assert "waggle apply" in said
    assert told(ledger, month_before + DAY) == [said]
    with ledger.read() as session:
        (need,) = needs.of(session, month_before + DAY)
    assert (need.subject, need.since) == ("source plant of alice", month_before)
    (said,) = told(ledger, instant(2027, 3, 2))
    assert "ended on 2027-03-01" in said


def test_a_key_that_feeds_nothing_is_not_told(ledger: Ledger) -> None:
    """Its feeds were stopped: nobody has to make a new one."""
    apply(ledger)
    late = NOW + 340 * DAY
    assert len(told(ledger, late)) == 1
    with ledger.write() as session:
        for feed in session.exec(select(Feed)):
            feed.state = FeedState.STOPPED
            session.add(feed)
    assert told(ledger, late) == []


def test_housekeeping_looks_at_the_keys(world: World) -> None:
    """Each hour, also of feeds that a person paused."""
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.key_ends_at = world.clock.at + 30 * DAY
        session.add(source)
    change_feed(world, state=FeedState.PAUSED)

    housekeeping.run(world.runtime())
    housekeeping.run(world.runtime())

    with world.reading() as session:
        (notice,) = notices.open_for(session)
    assert notice.subject == f"source:{world.source_id}"


def test_who_has_never_had_a_date_gets_one(ledger: Ledger) -> None:
    """A source from before its provider named a life: counted from the next apply."""
    apply(ledger)
    with ledger.write() as session:
        source = session.exec(select(Source)).one()
        source.key_ends_at = None
        session.add(source)
    assert told(ledger, NOW + 9999 * DAY) == []
    apply(ledger, now=NOW + DAY)
    assert ends_at(ledger) == NOW + 366 * DAY
