"""Work that no lease is taken for: it is counted when it begins, and is a death if it never ends.

The first try is made beside others, so nothing is known of who killed the worker then. From the
second one on it runs alone, like any suspect (`db.suspects`). What has not ended in six tries has
died alone five times in a row; it is given up until a person says that it may be tried again.
"""

from typing import Any

from sqlalchemy import case, literal_column
from sqlalchemy.sql.elements import ColumnElement

from db.deaths import MOST

GIVEN_UP = -1


def open_to(tries: Any, *, alone: bool) -> ColumnElement[bool]:  # noqa: ANN401 -- a column, as `col` types it
    """Rows whose work may be tried: `alone` those at which a worker may have died."""
    none: ColumnElement[int] = literal_column(
        "0"
    )  # written out: an index is of those that were tried
    may: ColumnElement[bool] = (tries > none) if alone else (tries == none)
    return may


def too_many(tries: int) -> bool:
    """Has it died alone so often that it is given up?"""
    return tries > MOST


def without_the_last(tries: Any) -> ColumnElement[int]:  # noqa: ANN401 -- a column, as `col` types it
    """The last one was put back: it has shown nothing, so what was counted before still is."""
    return case((tries > 0, tries - 1), else_=tries)
