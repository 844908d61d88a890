"""An alias that threads share names its own columns, whoever asks first."""

import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
from sqlalchemy import inspect
from sqlmodel import col, select

from db import breakers, claiming_gates
from db.aliases import alias
from db.models import Source
from tests.tasks.scenes import at_once

THREADS = 6


@pytest.fixture
def _hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty")
def test_threads_that_use_it_first_at_once_get_its_columns() -> None:
    """A column of the table itself in its place would fail every claim until a restart."""
    for _ in range(40):
        other = alias(Source)
        gate = threading.Barrier(THREADS)

        def statement(_number: int, other: type[Source] = other, gate: threading.Barrier = gate):
            gate.wait()
            return str(select(col(other.id)).where(col(other.quota_key) == "x"))

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            said = at_once(THREADS, statement)
        assert set(said) == {said[0]}
        assert "source_1.quota_key" in said[0]
        assert "source.quota_key" not in said[0]


@pytest.mark.parametrize("module", [breakers, claiming_gates], ids=lambda module: module.__name__)
def test_every_alias_that_a_module_shares_is_complete(module: object) -> None:
    """Made when the module is: nothing is left to whoever comes first."""
    shared = [
        made
        for made in vars(module).values()
        if getattr(type(made), "__name__", "") == "AliasedClass"
    ]
    assert shared
    for made in shared:
        assert {column.key for column in inspect(made).mapper.column_attrs} <= vars(made).keys()
