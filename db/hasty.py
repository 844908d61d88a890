"""A statement that is a transaction by itself, and that nobody waits for the disk for.

On PostgreSQL `write_one(durable=False)` has no transaction in which that could be said before: the
statement says it, as one more value that it returns. It costs one round trip instead of three.
"""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class said(FunctionElement[str]):  # noqa: N801 -- reads like a function of the database
    """Something that an UPDATE of one row returns, so that its commit waits for no disk."""

    name = "hasty"
    type = Text()
    inherit_cache = True


@compiles(said, "postgresql")
def _postgresql(_element: said, _compiler: SQLCompiler, **_: Any) -> str:
    return "set_config('synchronous_commit', 'off', true)"


@compiles(said)
def _others(_element: said, _compiler: SQLCompiler, **_: Any) -> str:
    return "NULL"
