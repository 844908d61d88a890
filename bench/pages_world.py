"""A ledger as large as pages have to cope with, written in bulk: nothing here goes the usual way.

alice has all the feeds, and everything else in proportion to them. A small one has all that a large
one has, and less of each, so that a page asks both the same questions.
"""

import itertools
from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, insert, select
from sqlmodel import Session, SQLModel

from bench import pages_rows
from db.engine import Ledger
from db.models import Backfill, Cover, Event, Feed, Goal, Notice, Source, User, Worker
from db.models_limits import Breaker, Quota
from db.models_pages import Channel, Deed, Errand, Message
from db.models_points import Datapoint, Day, Sending
from db.models_runs import Run
from db.names import dashed

AT_ONCE = 5_000
GATE = "bemserver:plant-1"  # one that is closed


def fill(ledger: Ledger, *, feeds: int, now: float) -> dict[str, str]:
    """Add feeds until there are so many, with all that belongs to them; how the first is called."""
    with ledger.write() as session:
        have = session.connection().execute(select(func.count()).select_from(Feed)).scalar_one()
        made = range(have + 1, feeds + 1)
        if have == 0:
            _once(session, now)
        for table, rows in (
            (User, pages_rows.users(made, now)),
            (Source, pages_rows.sources(made, now)),
            (Goal, pages_rows.goals(made, now)),
            (Feed, pages_rows.feeds(made, now)),
            (Event, pages_rows.events(made, now)),
            (Cover, pages_rows.covers(made, now)),
            (Day, pages_rows.days(made, now)),
            (Datapoint, pages_rows.datapoints(made, now)),
            (Sending, pages_rows.sendings(made, now)),
            (Run, pages_rows.runs(made, now)),
            (Notice, pages_rows.notices(made, now)),
            (Errand, pages_rows.errands(made, now)),
            (Deed, pages_rows.deeds(made, now)),
            (Backfill, pages_rows.backfills(made, now)),
            (Quota, pages_rows.quotas(made, now)),
            (Breaker, pages_rows.breakers(made, now)),
            (Message, pages_rows.messages(made, now)),
        ):
            _write(session, table, rows)
        # PostgreSQL plans by what it knows of the tables, and autovacuum comes a minute later.
        session.connection().exec_driver_sql("ANALYZE")
    return {
        "user": "alice",
        "user_id": str(pages_rows.ALICE),
        "goal": pages_rows.slug(1),
        "feed": "1",
        "calm_goal": pages_rows.slug(2),
        "day": pages_rows.daystamp(now, 1),
        "date": dashed(pages_rows.daystamp(now, 1)),
        "source": "1",
        "source_name": pages_rows.source_name(1),
        "spare": pages_rows.source_name(1),
        "event": pages_rows.event_id(now, 1),
        "errand": pages_rows.key(1, "r"),
        "run": "1",
        "channel": "1",
        "backfill": "1",
        "point": str(pages_rows.point_of(3, 0)),
    }


def _write(session: Session, table: type[SQLModel], rows: Iterable[dict[str, Any]]) -> None:
    rest = iter(rows)
    while some := list(itertools.islice(rest, AT_ONCE)):
        session.connection().execute(insert(table), some)


def _once(session: Session, now: float) -> None:
    session.add(
        User(
            id=pages_rows.ALICE,
            username="alice",
            beeminder_id="u-alice",
            timezone="Europe/Paris",
            created_at=now,
        )
    )
    session.flush()
    session.add_all(
        Channel(
            user_id=pages_rows.ALICE,
            name=kind,
            url_cipher="",
            url_hash=kind,
            created_at=now,
            told_at=now - 3600,
        )
        for kind in ("email", "ntfy", "telegram")
    )
    session.add_all(
        Worker(
            name=f"worker-{number}@host", queues="all", slots=16, started_at=now - 900, seen_at=now
        )
        for number in range(3)
    )
    session.flush()
