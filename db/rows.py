"""What a statement that goes straight to the driver has found (`db.once`)."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.exc import MultipleResultsFound, NoResultFound


class Rows:
    """What was found, all of it; as much of SQLAlchemy's result as is used."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        """Every row."""
        return self._rows

    def first(self) -> Any:  # noqa: ANN401 -- a row
        """The first row, None where there is none."""
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Any:  # noqa: ANN401 -- a row
        """The only row, None where there is none. Raises `MultipleResultsFound`."""
        if len(self._rows) > 1:
            raise MultipleResultsFound("more than one row was found where one was asked for")
        return self.first()

    def one(self) -> Any:  # noqa: ANN401 -- a row
        """The only row. Raises `NoResultFound` and `MultipleResultsFound`."""
        if not self._rows:
            raise NoResultFound("no row was found where one was asked for")
        return self.one_or_none()

    def scalar_one(self) -> Any:  # noqa: ANN401 -- a value
        """The first value of the only row."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:  # noqa: ANN401 -- a value
        """The first value of the only row, None where there is none."""
        row = self.one_or_none()
        return None if row is None else row[0]

    def scalar(self) -> Any:  # noqa: ANN401 -- a value
        """The first value of the first row, None where there is none."""
        row = self.first()
        return None if row is None else row[0]

    def scalars(self) -> "Rows":
        """The first value of each row."""
        return Rows([row[0] for row in self._rows], self.rowcount)
