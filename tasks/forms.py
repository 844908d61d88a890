"""Forms of pages, read by the rules of `waggle apply`; `tasks.forms_made` makes them.

A form field is text; the file has numbers, flags and text. What is wrong is told beside each field.
Nothing here asks a vendor, and no secret that was entered comes back out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from tasks import forms_made
from tasks.declare_problems import Problems, join
from tasks.declare_sources import KEY_MADE, Addresses, SourceReader, wrong_address
from tasks.declare_tables import FeedTable, in_future
from tasks.declared import NAME, DeclaredSource
from tasks.providers import Metric, Provider

FORM = "form"  # how the form is called in complaints, which are taken apart again
CALLED = {"url", "oauth_url"}  # settings whose addresses are called
ALL = ""  # the field of what is wrong with several of them together


@dataclass(slots=True)
class Mistakes:
    """What is wrong, by field; under `ALL` what is wrong with several together."""

    by_field: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, what: str) -> None:
        """One more; a field may have several."""
        before = self.by_field.get(name)
        self.by_field[name] = what if before is None else f"{before}; {what}"


def read(model: type[BaseModel], given: Mapping[str, str]) -> dict[str, Any]:
    """What the form says, as the file would: what was left empty is left out."""
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        text = given.get(name, "").strip()
        if not text:
            continue
        known = forms_made.types_of(info.annotation)
        if bool in known:
            found[name] = text in ("yes", "true", "on", "1")
        elif int in known and text.lstrip("-").isascii() and text.lstrip("-").isdigit():
            found[name] = int(text)
        else:
            found[name] = text
    return found


def params(
    metric: Metric, given: Mapping[str, str]
) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """(the parameters as they are stored, or None, what is wrong by field)."""
    table = read(metric.params, given)
    try:
        checked = metric.params.model_validate(table)
    except ValidationError as error:
        problems = Problems(FORM)
        problems.add_invalid("", error, metric.params, table)
        return None, _apart(problems, "")
    return checked.model_dump(mode="json", exclude_none=True), {}


def feed(given: Mapping[str, str], *, now: float) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """(what an errand has to know of a feed beside source, metric and parameters; mistakes).

    `given`: goal, label, since, every, corrections, accept_aggday, keep.
    """
    mistakes = Mistakes()
    slug, label = given.get("goal", "").strip().lower(), given.get("label", "").strip().lower()
    if not NAME.fullmatch(slug):
        mistakes.add("goal", "choose one of your goals")
    if label and not NAME.fullmatch(label):
        mistakes.add("label", "may hold letters, digits, - and _ only")
    table: dict[str, Any] = {
        name: given[name].strip()
        for name in ("since", "every", "corrections")
        if given.get(name, "").strip()
    }
    table |= {"source": "", "metric": "", "datasource": "keep" if given.get("keep") else "set"}
    table["accept_aggday"] = bool(given.get("accept"))
    checked = None
    try:
        checked = FeedTable.model_validate(table)
    except ValidationError as error:
        problems = Problems(FORM)
        problems.add_invalid("", error, FeedTable, table)
        for name, what in _apart(problems, "").items():
            mistakes.add(name, what)
    if checked is not None and checked.since is not None and in_future(checked.since, now):
        mistakes.add("since", f"{checked.since} is in the future")
    if checked is None or mistakes.by_field:
        return None, mistakes.by_field
    return {
        "goal": slug,
        "label": label,
        "options": checked.options(),
        "since": None if checked.since is None else checked.since.strftime("%Y%m%d"),
        "every": checked.every,
    }, {}


def source(
    provider: Provider,
    given: Mapping[str, str],
    *,
    name: str,
    username: str,
    addresses: Addresses,
    now: float,
    before: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Any] | None = None,
) -> tuple[DeclaredSource | None, dict[str, str]]:
    """(the source that a form declares, or None; mistakes by field).

    `before` and `secrets` are what is stored of one that is changed: a secret that was left empty
    stays, unless the address that it would be sent to is another one.
    """
    mistakes = Mistakes()
    if not NAME.fullmatch(name):
        mistakes.add("name", "may hold letters, digits, - and _ only, up to 100 of them")
    table = read(provider.settings, given)
    if given.get(KEY_MADE, "").strip() and provider.key_days is not None:
        table[KEY_MADE] = given[KEY_MADE].strip()
    kept = {key: value for key, value in (secrets or {}).items() if key not in table}
    moved = kept and _moved(provider, before or {}, table)
    if moved:
        for key in kept:
            mistakes.add(key, f"{moved} was changed: enter this again, for the new address")
    problems = Problems(FORM)
    reader = SourceReader(problems, {}, {provider.name: provider}, addresses=addresses, now=now)
    where = join("sources", name)
    declared = reader.read(
        name, {**kept, **table, "user": username, "provider": provider.name}, [username]
    )
    for key, what in _apart(problems, where).items():
        mistakes.add(key, what)
    for key in CALLED & table.keys() - mistakes.by_field.keys():
        wrong = wrong_address(table[key], addresses)  # also where others are wrong or missing
        if wrong is not None:
            mistakes.add(key, wrong)
    return (None if mistakes.by_field else declared), mistakes.by_field


def _moved(provider: Provider, before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """The setting that names another place than before, where a kept secret would go."""
    known = forms_made.fields(provider.settings)
    for name in ("tenant", *(each.name for each in known if each.kind == "address")):
        info = provider.settings.model_fields.get(name)
        default = None if info is None or info.is_required() else info.default
        if before.get(name, default) != after.get(name, default):
            return name
    return None


def _apart(problems: Problems, where: str) -> dict[str, str]:
    """The complaints by field."""
    found = Mistakes()
    for key, what in problems.found:
        found.add(key.removeprefix(where).removeprefix("."), what)
    return found.by_field
