"""Records of Bime's lists, with no more fields than are used; ids are text, instants Unix seconds.

A named user's own `access_token` opens dashboards in that person's name. No model has a place for
it, so it ends where an answer is parsed.

https://github.com/nicolas/bime-api, folder `ressources`
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

import pydantic

Resource = Literal[
    "dashboards",
    "connections",
    "named_users",
    "named_user_groups",
    "data_security_rules",
    "named_user_group_securities",
    "dashboard_subscriptions",
]
RESOURCES: tuple[Resource, ...] = get_args(Resource)

_LONGEST_ID = 100


def _id(value: object) -> str:
    """Ids come as numbers or as text, and mean the same."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > _LONGEST_ID or not text.isprintable():
        raise ValueError("a number or a short text was due")
    return text


def _instant(value: object) -> float:
    """ISO 8601 with an offset; without one nobody knows which day it was."""
    if isinstance(value, str):
        try:
            at = dt.datetime.fromisoformat(value)
            if at.tzinfo is not None:
                return at.timestamp()
        except (ValueError, OverflowError):
            pass
    raise ValueError("an instant with an offset was due")


Id = Annotated[str, pydantic.BeforeValidator(_id)]
Instant = Annotated[float, pydantic.BeforeValidator(_instant)]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What all records have. None: the field was not there."""

    id: Id
    created_at: Instant | None = None
    updated_at: Instant | None = None

    @property
    def title(self) -> str:
        """The name of it, where it has one."""
        return ""

    @property
    def detail(self) -> str:
        """What else tells people which one it is."""
        return ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Named(Record):
    name: str = ""

    @property
    def title(self) -> str:
        """Its name."""
        return self.name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard(_Named):
    """A dashboard."""

    is_published: bool | None = None

    @property
    def detail(self) -> str:
        """Whether it is published, where that is told."""
        if self.is_published is None:
            return ""
        return "published" if self.is_published else "not published"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Connection(_Named):
    """A connection to data."""

    technical_type: str = ""

    @property
    def detail(self) -> str:
        """What kind of data, such as RDBMS."""
        return self.technical_type


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedUser(Record):
    """A person who looks at dashboards."""

    full_name: str = ""

    @property
    def title(self) -> str:
        """The person's name."""
        return self.full_name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedUserGroup(_Named):
    """A group of such people."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataSecurityRule(Record):
    """A rule about which values of a field may be seen."""

    datafield: str = ""

    @property
    def title(self) -> str:
        """The field."""
        return self.datafield


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedUserGroupSecurity(Record):
    """A rule that holds for a group."""

    named_user_group_id: Id = "?"
    data_security_rule_id: Id = "?"

    @property
    def detail(self) -> str:
        """Which rule, and for whom."""
        return f"rule {self.data_security_rule_id} for group {self.named_user_group_id}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSubscription(Record):
    """A dashboard that a group may see."""

    dashboard_id: Id = "?"
    named_user_group_id: Id = "?"

    @property
    def detail(self) -> str:
        """Which dashboard, and for whom."""
        return f"dashboard {self.dashboard_id} for group {self.named_user_group_id}"


MODELS: Mapping[Resource, type[Record]] = {
    "dashboards": Dashboard,
    "connections": Connection,
    "named_users": NamedUser,
    "named_user_groups": NamedUserGroup,
    "data_security_rules": DataSecurityRule,
    "named_user_group_securities": NamedUserGroupSecurity,
    "dashboard_subscriptions": DashboardSubscription,
}
LISTS: Mapping[Resource, pydantic.TypeAdapter[list[Record]]] = {
    resource: pydantic.TypeAdapter(list[model])  # type: ignore[valid-type]  # one of MODELS
    for resource, model in MODELS.items()
}
SINGLES: Mapping[Resource, pydantic.TypeAdapter[Record]] = {
    resource: pydantic.TypeAdapter(model) for resource, model in MODELS.items()
}
