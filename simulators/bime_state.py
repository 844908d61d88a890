"""What the simulated Bime holds: accounts with their records, registered apps, tokens, switches."""

import dataclasses
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, get_args

Validating = Literal["etag", "last-modified", "both", "none"]
Verbosity = Literal["rfc", "draft-5"]
Fields = dict[str, Any]

RESOURCES = (
    "dashboards",
    "connections",
    "named_users",
    "named_user_groups",
    "data_security_rules",
    "named_user_group_securities",
    "dashboard_subscriptions",
)
_ZONE = timezone(timedelta(hours=-5))  # as in the page's examples
_CHOICES = {
    "validators": get_args(Validating),
    "ids": ("number", "text"),
    "oauth_errors": get_args(Verbosity),
}


@dataclass(slots=True, kw_only=True)
class Switches:
    """What the page leaves open, and what it contradicts itself about.

    `wrapped`: `{result, error}` around every body; None: bare in v2, wrapped in v3. `validators`
    of all answers, but for lists that `of_list` names. `missing`: the status for no such record.
    `expires_in` (seconds) and `refresh` of tokens; `refresh_once`: a refresh token is good once.
    `old_path`: they are at /oauth/access_token. `query_only`: the token endpoint reads the query
    string alone, as the page shows it. `denies`: whoever is asked says no. ValueError for what
    can't be.
    """

    wrapped: bool | None = None
    ids: str = "number"
    validators: str = "etag"
    of_list: dict[str, str] = field(default_factory=dict)
    weak: bool = False
    missing: int = 404
    expires_in: int | None = None
    refresh: bool = False
    refresh_once: bool = True
    old_path: bool = False
    query_only: bool = False
    oauth_errors: str = "rfc"
    denies: bool = False

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is none of {', '.join(choices)}")
        for resource, given in self.of_list.items():
            if resource not in RESOURCES or given not in get_args(Validating):
                raise ValueError(f"of_list: {resource}={given} names no list or no validators")


@dataclass(slots=True, kw_only=True)
class App:
    """An app that is registered at an account; its owner consents when asked."""

    client_id: str
    client_secret: str
    redirect_uri: str
    account: str


@dataclass(slots=True)
class Token:
    """What a token opens, and until when (Unix seconds)."""

    account: str
    ends_at: float | None = None


class BimeState:
    """Everything, by account. Hold `lock` for more than one call."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.switches = Switches()
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Token] = {}
        self.records: dict[str, dict[str, dict[int, Fields]]] = {}
        self._changed: dict[tuple[str, str], float] = {}
        self._ids = itertools.count(1)

    def switch(self, **switches: Any) -> None:
        """Another set of switches; those that are not named stay. ValueError, TypeError."""
        self.switches = dataclasses.replace(self.switches, **switches)

    def add_account(self, name: str, *, token: str | None = None) -> None:
        """An account without records; `token` opens it, as one that was copied from its pages."""
        with self.lock:
            self.records.setdefault(name, {resource: {} for resource in RESOURCES})
            if token is not None:
                self.tokens[token] = Token(name)

    def register_app(self, **fields: str) -> App:
        """As on the page for developers of an account."""
        app = App(**fields)
        self.apps[app.client_id] = app
        return app

    def account_of(self, token: str) -> str | None:
        """Whose token it is, None for one that is not good (any more)."""
        found = self.tokens.get(token)
        if found is None or (found.ends_at is not None and found.ends_at <= self.clock()):
            return None
        return found.account

    def add(
        self, resource: str, *, account: str = "", at: float | None = None, **fields: Any
    ) -> int:
        """A record that was created at `at` (Unix seconds; now); its id."""
        with self.lock:
            number = next(self._ids)
            stamp = iso(self.clock() if at is None else at)
            made = _blank(resource, number) | fields
            made |= {"id": number, "created_at": stamp, "updated_at": stamp}
            self._list(resource, account)[number] = made
            self._touch(resource, account)
            return number

    def change(
        self, resource: str, number: int, *, account: str = "", at: float | None = None, **to: Any
    ) -> None:
        """Other values, and another updated_at. KeyError if there is no such record."""
        with self.lock:
            stamp = iso(self.clock() if at is None else at)
            self._list(resource, account)[number] |= {"updated_at": stamp} | to
            self._touch(resource, account)

    def remove(self, resource: str, number: int, *, account: str = "") -> None:
        """Gone for good. KeyError if there is no such record."""
        with self.lock:
            del self._list(resource, account)[number]
            self._touch(resource, account)

    def changed_at(self, resource: str, account: str) -> float:
        """When the list changed last (Unix seconds), deletions included."""
        return self._changed.get((self._name(account), resource), 0.0)

    def _list(self, resource: str, account: str) -> dict[int, Fields]:
        return self.records[self._name(account)][resource]

    def _name(self, account: str) -> str:
        return account or next(iter(self.records))

    def _touch(self, resource: str, account: str) -> None:
        self._changed[self._name(account), resource] = self.clock()


def iso(at: float) -> str:
    """An instant as Bime writes it: ISO 8601 with a numeric offset."""
    return datetime.fromtimestamp(at, _ZONE).isoformat(timespec="seconds")


def _blank(resource: str, number: int) -> Fields:
    """The fields of a list that nobody has set."""
    guid = f"{number:032x}"
    blanks: dict[str, Fields] = {
        "dashboards": {
            "name": f"Dashboard {number}",
            "publication_guid": guid,
            "is_published": False,
        },
        "connections": {
            "name": f"Connection {number}",
            "technical_type": "RDBMS",
            "creator_full_name": "Alice",
        },
        "named_users": {
            "full_name": f"Viewer {number}",
            "external_id": None,
            "named_user_group_id": None,
            "access_token": f"viewer-token-{guid}",
        },
        "named_user_groups": {"name": f"Group {number}"},
        "data_security_rules": {
            "datafield": "country",
            "authorized_values": ["FR"],
            "connection_id": "1",
        },
        "named_user_group_securities": {"named_user_group_id": 1, "data_security_rule_id": 1},
        "dashboard_subscriptions": {"dashboard_id": 1, "named_user_group_id": 1},
    }
    return blanks[resource]
