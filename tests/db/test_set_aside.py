"""What is said of a feed that is set aside: which work killed, how to see it, and how to go on."""

import pytest

from db import backfills, set_aside
from db.engine import Ledger
from db.models import Backfill
from db.states import Work
from tests.db.dying import NOW, ONE, change, feed

pytestmark = pytest.mark.usefixtures("linked")


def put_aside(ledger: Ledger, work: str) -> str:
    """Set feed one aside after this work; what is said of it."""
    change(ledger, work=work)
    with ledger.write() as session:
        set_aside.feed(session, ONE, 5, NOW)
    said = feed(ledger).last_error or ""
    assert said.startswith("set aside: the worker died or hung 5 times in a row while it ")
    return said


@pytest.mark.parametrize(
    ("work", "doing", "command"),
    [
        (Work.SYNC, "synced it", "`waggle sync alice/energy --preview` reads the same"),
        ("", "synced it", "`waggle sync alice/energy --preview` reads the same"),
        (Work.PUSH, "sent what was waiting", "`waggle datapoints alice/energy` shows what"),
        (Work.RECONCILE, "compared its goal", "`waggle reconcile alice/energy` does the same"),
        (Work.BACKFILL, "read past days", "`waggle sync alice/energy --preview` reads the same"),
    ],
)
def test_it_names_the_work_and_what_shows_it(
    ledger: Ledger, work: str, doing: str, command: str
) -> None:
    """A preview pushes nothing and compares nothing: it is named only where it does the same."""
    said = put_aside(ledger, work)
    assert doing in said
    assert command in said
    assert "`waggle resume alice/energy` has it tried again" in said


def test_of_past_days_it_names_those_that_were_left(ledger: Ledger) -> None:
    """They have ended with it: to look at, and to go on with once the feed is resumed."""
    with ledger.write() as session:
        asked = backfills.ask(session, ONE, first="20261001", last="20261110", now=NOW).id or 0
        backfills.advance(
            session,
            asked,
            next_day="20261101",
            last_day="20261110",
            written=0,
            held=0,
            now=NOW,
        )
    said = put_aside(ledger, Work.BACKFILL)
    days = "waggle sync alice/energy --from 2026-11-01 --to 2026-11-10"
    assert f"`{days} --preview` reads these days" in said
    assert "`waggle resume alice/energy` has the feed synced again without them" in said
    assert f"`{days}` reads them" in said
    with ledger.read() as session:
        assert session.get_one(Backfill, asked).error == said
