"""Plans of statements: what is compiled once has to fit every time."""

import time

import pytest
from sqlalchemy import (
    Column,
    Float,
    Integer,
    MetaData,
    Table,
    bindparam,
    column,
    insert,
    select,
    table,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InvalidRequestError

from db import plans

DIALECTS = [sqlite.dialect(), postgresql.psycopg.dialect()]
THINGS = table("thing", column("id"), column("name"))
ASKED = select(THINGS.c.id).where(THINGS.c.name == bindparam("name"), THINGS.c.id != 7)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_what_never_changes_goes_with_it(dialect: object) -> None:
    """Values in the statement itself are not asked for again."""
    plan = plans.make(ASKED, {"name": "a"}, dialect)  # type: ignore[arg-type]

    assert plan is not None
    assert plan.needed == {"name"}
    sent = plan.values({"name": "a"})
    written = dialect.name == "postgresql"  # type: ignore[attr-defined]
    assert ("thing.id != (7)" in plan.text) is written
    values = sent.values() if isinstance(sent, dict) else sent
    assert sorted(map(str, values)) == ["a"] if written else ["7", "a"]


def test_a_value_that_is_new_each_time_is_refused() -> None:
    """What is computed for each row can not be computed once."""
    made = Table("thing", MetaData(), Column("id", Integer), Column("at", Float, default=time.time))

    with pytest.raises(InvalidRequestError, match="by default"):
        plans.make(insert(made), {"id": 1}, DIALECTS[0])


def test_a_list_has_no_plan() -> None:
    """It is written out for as many values as there are."""
    among = select(THINGS.c.id).where(THINGS.c.id.in_(bindparam("these", expanding=True)))

    assert plans.make(among, {"these": [1]}, DIALECTS[0]) is None
