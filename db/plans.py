"""How one kind of database gets a statement that is compiled once (`db.once`)."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Dialect, Insert
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.sql.compiler import SQLCompiler

Process = Callable[[Any], Any]
# By itself this driver has a server plan a statement anew until it was asked some times, and that
# over each connection: it can't know that it will be asked for as long as the process lives.
PREPARED = {"prepare": True}


@dataclass(slots=True, kw_only=True)
class Plan:
    """Its text, and what goes with it.

    `order`: the names of the values in the order of their places, None where they go by name.
    `fixed`: values that never change; `needed`: the names of those that are given. `going`: what is
    made of a value on its way. `row` makes a row of what comes back, None where nothing does.
    `types`: those of its columns, and `coming`, once it is known, what is made of their values.
    `how`: what else the driver is told.
    """

    text: str
    dialect: Dialect
    order: Sequence[str] | None
    fixed: Mapping[str, Any]
    needed: frozenset[str]
    going: Mapping[str, Process]
    row: Callable[[Iterable[Any]], Any] | None
    types: Sequence[Any]
    how: Mapping[str, Any]
    coming: Sequence[tuple[int, Process]] | None = None

    def values(self, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- as the driver wants them
        """What goes to the driver. Raises `InvalidRequestError` for a value too few or too many."""
        if given.keys() != self.needed:
            wrong = ", ".join(sorted(self.needed ^ given.keys()))
            raise InvalidRequestError(f"not given, or given and not asked for: {wrong}")
        values = {**self.fixed, **given}
        for name, process in self.going.items():
            values[name] = process(values[name])
        return values if self.order is None else tuple(values[name] for name in self.order)

    def rows(self, cursor: Any) -> Sequence[Any]:  # noqa: ANN401 -- the driver's
        """Everything that came back."""
        make = self.row
        if make is None:
            return ()
        found = cursor.fetchall()
        if self.coming is None:
            self.coming = _coming(self.types, cursor.description, self.dialect)
        if self.coming:
            found = [_processed(row, self.coming) for row in found]
        return [make(row) for row in found]


def make(statement: Any, given: Mapping[str, Any], dialect: Dialect) -> Plan | None:  # noqa: ANN401 -- SQLAlchemy's
    """The plan of a statement; None where a list of values is written out anew each time.

    `given`: what it is asked with; of an INSERT it names the columns.
    """
    adds = isinstance(statement, Insert)
    columns = list(given) if adds and statement.select is None else []
    # As if for many rows: a row alone would bring its key back, which nobody asks for.
    compiled: SQLCompiler = statement.compile(
        dialect=dialect, column_keys=columns, for_executemany=adds
    )
    if compiled.post_compile_params or compiled.literal_execute_params:
        return None
    prepared = dialect.driver == "psycopg"
    binds = compiled.bind_names
    going: dict[str, Process] = {}
    for bind, name in binds.items():
        process = bind.type.dialect_impl(dialect).bind_processor(dialect)
        if process is not None:
            going[name] = process
    fixed = {name: bind.value for bind, name in binds.items() if not bind.required}
    fixed |= {column.key: _default(column) for column in compiled.insert_prefetch}
    needed = frozenset(set(binds.values()) - fixed.keys())
    returned = getattr(statement, "exported_columns", ())
    names = [str(column.key) for column in returned]
    row = namedtuple("Row", names, rename=True)  # type: ignore[misc] # noqa: PYI024 -- its own names
    words = str(compiled)
    if prepared:
        for name, value in fixed.items():
            written = None if name in going else _written(value)
            if written is not None:
                words = words.replace(f"%({name})s", written)
    return Plan(
        text=words,
        dialect=dialect,
        order=compiled.positiontup,
        fixed={
            name: going.pop(name, _as_it_is)(value)
            for name, value in fixed.items()
            if not prepared or f"%({name})s" in words
        },
        needed=needed,
        going=going,
        row=row._make if names else None,
        types=[column.type for column in returned],
        how=PREPARED if prepared else {},
    )


def _written(value: Any) -> str | None:  # noqa: ANN401 -- a value
    """A value that never changes, as a word of a statement; None for what is given with it.

    A server that plans for whatever may be given uses an index of few rows only if the statement
    itself says that it is about these; else it plans anew each time, or goes through all rows.
    """
    value = value.value if isinstance(value, Enum) else value
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return f"({value})"
    if isinstance(value, float):
        return f"({value!r}::float8)"
    if isinstance(value, str) and "\\" not in value:
        return "'" + value.replace("'", "''").replace("%", "%%") + "'"
    return None


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 -- a value
    return value


def _default(column: Any) -> Any:  # noqa: ANN401 -- a column, and its value
    if not column.default.is_scalar:
        raise InvalidRequestError(f"what {column} is by default would have to be asked each time")
    return column.default.arg


def _coming(
    types: Sequence[Any], said: Sequence[Any], dialect: Dialect
) -> Sequence[tuple[int, Process]]:
    """By the places of columns. It may depend on what the database calls their types."""
    found = []
    for place, (kind, column) in enumerate(zip(types, said, strict=True)):
        process = kind.dialect_impl(dialect).result_processor(dialect, column[1])
        if process is not None:
            found.append((place, process))
    return found


def _processed(row: Sequence[Any], coming: Sequence[tuple[int, Process]]) -> list[Any]:
    values = list(row)
    for place, process in coming:
        values[place] = process(values[place])
    return values
