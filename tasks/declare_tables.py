"""The tables of a declaration as they stand in the file, each checked by itself."""

import re
import string
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

COMMENT_FIELDS = ("value", "unit", "source", "goal", "day", "metric")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"(?:\d{1,6}[smhd])+")
SHORTEST_EVERY = 60.0
LONGEST_EVERY = 366 * 86400.0
EAST_OF_ALL = timedelta(hours=14)  # a date has begun somewhere on earth this long before UTC


def duration(value: object) -> float:
    """Seconds of "15m", "1h", "1h30m" or "2d"."""
    if not isinstance(value, str) or not DURATION.fullmatch(value.strip()):
        raise ValueError('has to be a time such as "15m", "1h" or "2d"')
    parts = re.findall(r"(\d+)([smhd])", value)
    seconds = float(sum(int(count) * UNITS[unit] for count, unit in parts))
    if not SHORTEST_EVERY <= seconds <= LONGEST_EVERY:
        raise ValueError('has to be between "1m" and "366d"')
    return seconds


def day(value: object) -> date:
    """A date of TOML, or "YYYY-MM-DD"."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # such as 2026-02-30: told below
    raise ValueError("has to be a date such as 2026-11-01")


def in_future(declared: date, now: float) -> bool:
    """Has this date not begun anywhere yet?"""
    return declared > (datetime.fromtimestamp(now, UTC) + EAST_OF_ALL).date()


def template(value: object) -> str:
    """A comment with known fields only: a format string can reach into what it is given."""
    if not isinstance(value, str):
        raise ValueError("has to be text")  # noqa: TRY004 -- pydantic wants a ValueError
    try:
        fields = [part[1:] for part in string.Formatter().parse(value) if part[1] is not None]
    except ValueError:
        raise ValueError("has a brace without its partner; write {{ for a brace") from None
    allowed = " ".join(f"{{{name}}}" for name in COMMENT_FIELDS)
    for name, spec, conversion in fields:
        if name not in COMMENT_FIELDS or spec or conversion:
            raise ValueError(f"may hold {allowed} only, not {{{name}}} with anything else in it")
    return value


def strict_bool(value: object) -> bool:
    """True or false, and not "yes" or 1."""
    if not isinstance(value, bool):
        raise ValueError("has to be true or false")  # noqa: TRY004 -- pydantic wants a ValueError
    return value


Flag = Annotated[bool, BeforeValidator(strict_bool)]


class Table(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class UserTable(Table):
    """`[users.<username>]`; without a token the person is linked by OAuth."""

    token: SecretStr | None = None
    token_kind: Literal["personal", "oauth"] = "personal"  # noqa: S105 -- a kind, not a token


class FeedTable(Table):
    """`[feeds."user/goal"]` or `[feeds."user/goal:label"]`."""

    source: str
    metric: str
    params: dict[str, Any] = {}
    since: Annotated[date, BeforeValidator(day)] | None = None
    every: Annotated[float, BeforeValidator(duration)] = 3600.0
    comment: Annotated[str, BeforeValidator(template)] | None = None
    corrections: Literal["careful", "always", "never"] | None = None
    on_edit: Literal["keep", "source"] = "keep"
    datasource: Literal["set", "keep"] = "set"
    zeros: Flag = True
    accept_aggday: Flag = False

    def options(self) -> dict[str, Any]:
        """What is stored of the choices; those that follow a setting are left out if not made."""
        chosen = {
            "comment": self.comment,
            "corrections": self.corrections,
            "on_edit": self.on_edit,
            "datasource": self.datasource,
            "zeros": self.zeros,
            "accept_aggday": self.accept_aggday,
        }
        return {name: choice for name, choice in chosen.items() if choice is not None}
