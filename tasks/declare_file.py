"""From a TOML file to a checked declaration: users, sources, feeds. Pure: no database, no network.

Everything that is wrong is told at once. Secrets come as plain text or as `{ env = "NAME" }`.
"""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tasks.declare_problems import DeclarationError, Problems, join, nearest
from tasks.declare_sources import Addresses, SourceReader
from tasks.declare_tables import FeedTable, UserTable, in_future
from tasks.declared import (
    NAME,
    Declaration,
    DeclaredFeed,
    DeclaredSource,
    DeclaredUser,
    split_name,
)
from tasks.providers import Provider

TABLES = ("users", "sources", "feeds")


def parse(
    text: str,
    *,
    file: str,
    env: Mapping[str, str],
    providers: Mapping[str, Provider],
    addresses: Addresses,
    now: float,
) -> Declaration:
    """A checked declaration, or `DeclarationError` with all that is wrong.

    `file` is how the file is called in complaints, `env` where `{ env = … }` is looked up.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise DeclarationError([f"{file}: is not TOML: {exc}"]) from None
    problems = Problems(file)
    sources = SourceReader(problems, env, providers, addresses=addresses, now=now)
    declaration = _Reader(problems, sources, providers, now=now).read(given)
    problems.raise_any()
    return declaration


class _Reader:
    """One pass over one file."""

    def __init__(
        self,
        problems: Problems,
        source_reader: SourceReader,
        providers: Mapping[str, Provider],
        *,
        now: float,
    ) -> None:
        self.problems = problems
        self._source_reader = source_reader
        self._providers = providers
        self._now = now
        # Names of tables that were there, right or wrong: a feed of a source with a mistake in
        # it is not a second mistake.
        self._usernames: set[str] = set()
        self._source_tables: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, DeclaredSource] = {}

    def read(self, given: dict[str, Any]) -> Declaration:
        for key in given:
            if key not in TABLES:
                self.problems.add(key, f"unknown table{nearest(key, TABLES)}")
        users = [self._user(key, table) for key, table in self._tables(given, "users")]
        for key, table in self._tables(given, "sources"):
            name = self._name("sources", key)
            if name is None:
                continue
            self._source_tables[name] = table
            source = self._source_reader.read(key, table, self._usernames)
            if source is not None:
                self._sources[name] = source
        feeds = [self._feed(key, table) for key, table in self._tables(given, "feeds")]
        declared = tuple(feed for feed in feeds if feed is not None)
        self._refuse_twins(declared)
        return Declaration(
            users=tuple(user for user in users if user is not None),
            sources=tuple(self._sources.values()),
            feeds=declared,
        )

    def _tables(self, given: dict[str, Any], kind: str) -> list[tuple[str, dict[str, Any]]]:
        tables = given.get(kind, {})
        if not isinstance(tables, dict):
            self.problems.add(kind, f"has to be tables such as [{kind}.name]")
            return []
        good, seen = [], set()
        for key, table in tables.items():
            if not isinstance(table, dict):
                self.problems.add(join(kind, key), "has to be a table")
            elif key.lower() in seen:
                self.problems.add(join(kind, key), "stands twice (letter case does not count)")
            else:
                seen.add(key.lower())
                good.append((key, table))
        return good

    def _name(self, kind: str, key: str) -> str | None:
        name = key.lower()
        if NAME.fullmatch(name):
            return name
        self.problems.add(join(kind, key), "a name may hold letters, digits, - and _ only")
        return None

    def _user(self, key: str, table: dict[str, Any]) -> DeclaredUser | None:
        username = self._name("users", key)
        if username is None:
            return None
        self._usernames.add(username)
        where = join("users", key)
        resolved = self._source_reader.resolve(where, table)
        if resolved is None:
            return None
        try:
            checked = UserTable.model_validate(resolved)
        except ValidationError as error:
            self.problems.add_invalid(where, error, UserTable, resolved)
            return None
        token = None if checked.token is None else checked.token.get_secret_value()
        if token is not None and (not token or token != token.strip() or " " in token):
            self.problems.add(join(where, "token"), "is empty or has a space in it")
            return None
        return DeclaredUser(username=username, token=token, token_kind=checked.token_kind)

    def _feed(self, key: str, table: dict[str, Any]) -> DeclaredFeed | None:
        where = join("feeds", key)
        parts = split_name(key)
        if parts is None:
            self.problems.add(where, 'has to be called "user/goal" or "user/goal:label"')
            return None
        username, slug, label = parts
        known = self.problems.unless_known(where, username, self._usernames, kind="user")
        try:
            checked = FeedTable.model_validate(table)
        except ValidationError as error:
            self.problems.add_invalid(where, error, FeedTable, table)
            return None
        if checked.since is not None and in_future(checked.since, self._now):
            self.problems.add(join(where, "since"), f"{checked.since} is in the future")
        source = self._source_of(where, checked.source, username, known_user=known)
        params = self._params(where, checked)
        if source is None or not known or params is None:
            return None
        return DeclaredFeed(
            username=username,
            slug=slug,
            label=label,
            source=source.name,
            metric=checked.metric,
            params=params,
            options=checked.options(),
            since=None if checked.since is None else checked.since.strftime("%Y%m%d"),
            every=checked.every,
        )

    def _source_of(
        self, where: str, name: str, username: str, *, known_user: bool
    ) -> DeclaredSource | None:
        where = join(where, "source")
        if not self.problems.unless_known(where, name.lower(), self._source_tables, kind="source"):
            return None
        owner = self._source_tables[name.lower()].get("user")
        owner = owner.lower() if isinstance(owner, str) else None
        if owner in self._usernames and known_user and owner != username:
            self.problems.add(where, f"{name!r} is a source of {owner}, not {username}")
            return None
        return self._sources.get(name.lower())

    def _params(self, where: str, checked: FeedTable) -> dict[str, Any] | None:
        """The parameters, checked also where something else is wrong with the source."""
        named = self._source_tables.get(checked.source.lower(), {}).get("provider")
        provider = self._providers.get(named) if isinstance(named, str) else None
        if provider is None:
            return None
        metrics = provider.metrics
        kind = f"metric of {provider.name} called"
        if not self.problems.unless_known(
            join(where, "metric"), checked.metric, metrics, kind=kind
        ):
            return None
        model = metrics[checked.metric].params
        try:
            params = model.model_validate(checked.params)
        except ValidationError as error:
            self.problems.add_invalid(join(where, "params"), error, model, checked.params)
            return None
        return params.model_dump(mode="json", exclude_none=True)

    def _refuse_twins(self, feeds: tuple[DeclaredFeed, ...]) -> None:
        """The same thing counted twice on one goal is a mistake that costs money."""
        seen: dict[str, str] = {}
        for feed in feeds:
            source = self._sources[feed.source]
            model = self._providers[source.provider].metrics[feed.metric].params
            counting = model.model_validate(feed.params).counting()
            goal = [feed.username, feed.slug]
            what = [source.provider, source.account, feed.metric, counting]
            same = seen.setdefault(json.dumps([goal, what], sort_keys=True), feed.name)
            if same != feed.name:
                self.problems.add(
                    join("feeds", feed.name),
                    f"counts the same as {same!r}: the goal would get everything twice",
                )
