"""What a feed is suspected of: the kinds of work at which a worker has died.

They stand in `feed.suspect_of` one after the other, each with a space behind it. Only a good end of
the same kind clears one. Whatever is put back has shown nothing: it may have been told to wait
before it came to the place where it kills. And what another kind of work on the feed comes to says
nothing of this one: else a backfill that kills would be forgotten with each sync that ends well.
"""

from functools import cache
from typing import Any

from sqlalchemy import case, func
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col

from db.models import Feed
from db.states import Work


def raised() -> dict[str, Any]:
    """Columns of a feed that was at work when its worker died."""
    return {"suspect": True, "suspect_of": _without(_at_work()) + _at_work()}


@cache
def cleared() -> dict[str, Any]:
    """Columns of a feed whose worker has lived through what it was leased for.

    A sync pushes what waits to be pushed, so it speaks for that as well.
    """
    of_a_sync = func.replace(_without(_word(Work.SYNC)), _word(Work.PUSH), "")
    left = case((col(Feed.work) == Work.SYNC, of_a_sync), else_=_without(_at_work()))
    return {
        "suspect": case((left == "", False), else_=col(Feed.suspect)),
        "suspect_of": left,
        "deaths": case((left == "", 0), else_=col(Feed.deaths)),
    }


def dropped(work: Work) -> dict[str, Any]:
    """Columns of a feed of which this work is not wanted any more: it won't come to an end.

    A suspect stays one until anything else ends well.
    """
    return {"suspect_of": _without(_word(work))}


def _word(work: Work) -> str:
    return f"{work.value} "


def _at_work() -> ColumnElement[str]:
    return col(Feed.work) + " "


def _without(word: str | ColumnElement[str]) -> ColumnElement[str]:
    return func.replace(col(Feed.suspect_of), word, "")
