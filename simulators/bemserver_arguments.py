"""Query arguments, checked in the order and with the words of the real BEMServer."""

import re
import zoneinfo
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from starlette.datastructures import QueryParams

from simulators import bemserver_zones
from simulators.bemserver_http import invalid

REQUIRED = "Missing data for required field."
_EARLIEST = datetime(1680, 1, 1, tzinfo=UTC)
_LATEST = datetime(2260, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d{0,6})?)?"
    r"(Z|[+-]\d{2}(?::?\d{2})?)?"
)


class BadArgument(ValueError):  # noqa: N818 - it is caught right here
    """The message of one field."""


class Arguments:
    """Collects what is wrong with each field, then raises all of it at once."""

    def __init__(self, query: QueryParams) -> None:
        self.query = query
        self.errors: dict[str, Any] = {}

    def one(
        self,
        name: str,
        parse: Callable[[str], Any],
        *,
        required: bool = False,
        default: Any = None,  # noqa: ANN401 - of the field's type
    ) -> Any:  # noqa: ANN401 - of the field's type
        """The last value of a field that may come once."""
        if name not in self.query:
            if required:
                self.errors[name] = [REQUIRED]
            return default
        try:
            return parse(self.query[name])
        except BadArgument as exc:
            self.errors[name] = [str(exc)]
            return default

    def many(self, name: str, parse: Callable[[str], Any], *, required: bool = False) -> list[Any]:
        """All values of a repeated field; errors are keyed by position."""
        given = self.query.getlist(name)
        if not given and required:
            self.errors[name] = [REQUIRED]
        return self.each(name, given, parse)

    def each(self, name: str, given: Iterable[str], parse: Callable[[str], Any]) -> list[Any]:
        """Each item of a list; errors are keyed by position."""
        found, errors = [], {}
        for position, text in enumerate(given):
            try:
                found.append(parse(text))
            except BadArgument as exc:
                errors[str(position)] = [str(exc)]
        if errors:
            self.errors[name] = errors
        return found

    def schema(self, *, wrong: bool, message: str) -> None:
        """A check across fields, which is only made when each of them is fine."""
        if wrong and not self.errors:
            self.errors["_schema"] = [message]

    def done(self) -> None:
        """HttpError 422 if anything was wrong."""
        if self.errors:
            raise invalid(self.errors)


def integer(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise BadArgument("Not a valid integer.") from None


def at_least(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """A whole number in a range."""

    def parse(text: str) -> int:
        number = integer(text)
        if number < minimum or (maximum is not None and number > maximum):
            upper = "" if maximum is None else f" and less than or equal to {maximum}"
            raise BadArgument(f"Must be greater than or equal to {minimum}{upper}.")
        return number

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise BadArgument(f"Must be one of: {', '.join(choices)}.")
        return text

    return parse


def zone(text: str) -> zoneinfo.ZoneInfo:
    """A time zone; the error lists all of them, which makes a long body."""
    return zoneinfo.ZoneInfo(one_of(*bemserver_zones.NAMES)(text))


def instant(text: str) -> datetime:
    """ISO 8601 with an offset."""
    found = _INSTANT.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)  # noqa: TRY301 - the same end as a date like 31 February
        year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
        second, fraction, offset = found.groups()[5:]
        moment = datetime(  # noqa: DTZ001 - the offset comes below
            year, month, day, hour, minute, int(second or 0), int((fraction or "0").ljust(6, "0"))
        )
    except ValueError:
        raise BadArgument("Not a valid datetime.") from None
    if offset is None:
        raise BadArgument("Not a valid aware datetime.")
    try:
        moment = moment.replace(tzinfo=_offset(offset))
    except ValueError:
        raise BadArgument("Not a valid datetime.") from None
    if not _EARLIEST <= moment <= _LATEST:
        raise BadArgument(
            f"Must be greater than or equal to {_EARLIEST} and less than or equal to {_LATEST}."
        )
    return moment


def _offset(text: str) -> timezone:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(size if text[0] == "+" else -size)
