"""Notices that follow the ledger: as many as there are reasons, whoever looks, however often."""

from sqlmodel import select

from db.models import Notice
from tasks import standing
from tests.tasks.scenes import at_once
from tests.world import World


def open_ones(world: World) -> dict[str, str]:
    """Texts by subject."""
    with world.ledger.read() as session:
        rows = session.exec(select(Notice).where(Notice.cleared_at.is_(None)))
        return {row.subject: row.message for row in rows}


def test_notices_are_what_was_found(world: World) -> None:
    """Raised, with the newest text, and cleared; those of other kinds stay."""
    rt, alice = world.runtime(), world.user_id
    standing.tell(rt, "other", {"user:9": (alice, "stays")})
    standing.tell(rt, "late", {"feed:1": (alice, "a"), "feed:2": (alice, "b")})
    standing.tell(rt, "late", {"feed:2": (alice, "c"), "feed:3": (alice, "d")})
    assert open_ones(world) == {"user:9": "stays", "feed:2": "c", "feed:3": "d"}


def test_several_may_look_at_once(world: World) -> None:
    """Each reason is one notice."""
    found = {f"feed:{number}": (world.user_id, "late") for number in range(20)}
    at_once(4, lambda _: standing.tell(world.runtime(), "late", found))
    assert len(open_ones(world)) == 20
    with world.ledger.read() as session:
        assert len(session.exec(select(Notice)).all()) == 20


def test_where_nothing_changed_nothing_is_written(world: World) -> None:
    """It is looked at each minute, for ever."""
    rt = world.runtime()
    standing.tell(rt, "late", {"feed:1": (world.user_id, "a")})
    with world.ledger.write():  # on SQLite nobody else writes now, and would wait
        standing.tell(rt, "late", {"feed:1": (world.user_id, "a")})
