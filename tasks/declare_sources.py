"""The sources of a declaration: credentials looked up, settings checked by their provider."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr, ValidationError

from clients import public
from tasks import declare_tables
from tasks.declare_problems import Problems, join
from tasks.declared import DeclaredSource
from tasks.providers import Provider, SourceSettings

DAY = 86400.0
LONGEST_LABEL = 63  # characters between two dots of a host
KEY_MADE = "key_made"  # a key of every source whose provider's keys end


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Which addresses sources may have: plain `http` off this machine, `private` ones.

    `loopback`: this machine, where private ones may not be called.
    """

    http: bool = False
    private: bool = True
    loopback: bool = False


HTTPS = Addresses()


class SourceReader:
    """Reads one table at a time; whatever is wrong goes to `problems`."""

    def __init__(
        self,
        problems: Problems,
        env: Mapping[str, str],
        providers: Mapping[str, Provider],
        *,
        addresses: Addresses,
        now: float,
    ) -> None:
        self._problems = problems
        self._env = env
        self._providers = providers
        self._addresses = addresses
        self._now = now

    def read(
        self, key: str, table: dict[str, Any], usernames: Collection[str]
    ) -> DeclaredSource | None:
        """The source of the table `[sources.<key>]`, or None if anything is wrong with it."""
        where = join("sources", key)
        username = self._owner(where, table.get("user"), usernames)
        provider = self._provider(where, table.get("provider"))
        rest = {key: value for key, value in table.items() if key not in ("user", "provider")}
        resolved = self.resolve(where, rest)
        if provider is None or resolved is None:
            return None
        made = resolved.pop(KEY_MADE, None) if provider.key_days is not None else None
        key_made = None if made is None else self._key_made(where, made)
        try:
            settings = provider.settings.model_validate(resolved)
        except ValidationError as error:
            self._problems.add_invalid(where, error, provider.settings, resolved)
            return None
        wrong = made is not None and key_made is None
        if not self._usable(where, settings) or username is None or wrong:
            return None
        secret = provider.settings.secrets()
        plain = _plain(settings)
        return DeclaredSource(
            name=key.lower(),
            username=username,
            provider=provider.name,
            account=settings.account(),
            settings={key: value for key, value in plain.items() if key not in secret},
            credentials={key: value for key, value in plain.items() if key in secret},
            key_seconds=None if provider.key_days is None else provider.key_days * DAY,
            key_made=key_made,
        )

    def _key_made(self, where: str, given: object) -> float | None:
        """The beginning (UTC seconds) of the day on which a key was made; None if it is no day."""
        try:
            made = declare_tables.day(given)
        except ValueError as error:
            self._problems.add(join(where, KEY_MADE), str(error))
            return None
        if declare_tables.in_future(made, self._now):
            self._problems.add(join(where, KEY_MADE), f"{made} is in the future")
            return None
        return datetime.combine(made, time(), UTC).timestamp()

    def _owner(self, where: str, username: object, usernames: Collection[str]) -> str | None:
        if not isinstance(username, str):
            self._problems.add(join(where, "user"), "is missing: the Beeminder username it is for")
            return None
        name = username.lower()
        known = self._problems.unless_known(join(where, "user"), name, usernames, kind="user")
        return name if known else None

    def _provider(self, where: str, name: object) -> Provider | None:
        if not isinstance(name, str):
            kinds = ", ".join(sorted(self._providers))
            self._problems.add(join(where, "provider"), f"is missing; there is: {kinds}")
            return None
        self._problems.unless_known(join(where, "provider"), name, self._providers, kind="provider")
        return self._providers.get(name)

    def resolve(self, where: str, table: dict[str, Any]) -> dict[str, Any] | None:
        """The table with every `{ env = "NAME" }` looked up; None if one is not set."""
        resolved, complete = {}, True
        for key, value in table.items():
            resolved[key] = value
            if not isinstance(value, dict) or set(value) != {"env"}:
                continue
            found = self._env.get(str(value["env"]))
            if not found:
                complete = False
                self._problems.add(
                    join(where, key), f"the environment variable {value['env']} is not set"
                )
            resolved[key] = found
        return resolved if complete else None

    def _usable(self, where: str, settings: SourceSettings) -> bool:
        usable = True
        for key, value in _plain(settings).items():
            if isinstance(value, str) and not value.strip():
                self._problems.add(join(where, key), "is empty")
                usable = False
        for key, url in settings.addresses().items():
            wrong = wrong_address(url, self._addresses)
            if wrong is not None:
                self._problems.add(join(where, key), wrong)
                usable = False
        return usable


def wrong_address(  # noqa: PLR0911 -- one for each thing that may be wrong
    url: str, allowed: Addresses = HTTPS
) -> str | None:
    """Why a source may not be called at this address, or None."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        if host:
            _as_clients_read_it(url)
    except (ValueError, httpx.InvalidURL):
        return "is not a well-formed address"
    if parts.scheme not in ("http", "https") or not host or any(map(str.isspace, url)):
        return "has to be an address that begins with https://"
    if parts.username is not None or parts.password is not None:
        return "may not hold a login: there are keys of their own for that"
    if parts.query or parts.fragment:
        return "may not hold a ? or a #"
    if parts.scheme == "http" and not allowed.http and not public.is_loopback_host(host):
        return "is plain http: passwords could be read on the way (https, or WAGGLE_ALLOW_HTTP=1)"
    if not allowed.private and not public.is_public_host(host, loopback=allowed.loopback):
        return f"{public.PRIVATE}; {public.REMEDY}"
    return None


def _as_clients_read_it(url: str) -> None:
    """Raises ValueError or `httpx.InvalidURL` for a host that nobody could ask.

    Numbers that are no address, names that are not allowed, in this or another alphabet.
    """
    read = httpx.URL(url)
    labels = [] if read.host == "" else read.raw_host.removesuffix(b".").split(b".")
    for label in labels:
        if not 0 < len(label) <= LONGEST_LABEL:
            message = "a part of the host is empty or too long"
            raise ValueError(message)


def _plain(settings: SourceSettings) -> dict[str, Any]:
    """Settings as JSON would hold them, with the secrets in plain text."""
    dumped = settings.model_dump(mode="python", exclude_none=True)
    plain = {
        key: value.get_secret_value() if isinstance(value, SecretStr) else value
        for key, value in dumped.items()
    }
    found: dict[str, Any] = json.loads(json.dumps(plain, default=str))
    return found
