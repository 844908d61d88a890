"""The forms of pages, made from what providers declare of their settings and parameters."""

import types
from dataclasses import dataclass, replace
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from tasks.declare_sources import KEY_MADE
from tasks.providers import Provider

Kind = Literal["text", "secret", "flag", "number", "choice", "address", "day"]
SPELLED = {"api": "API", "id": "ID", "oauth": "OAuth", "url": "URL"}
ON_A_CARD = 3  # metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `default` is shown where nothing was given, `choices` are all that may be given.

    `further`: it has a default, or may be left out, and most people leave it so.
    """

    name: str
    label: str
    kind: Kind = "text"
    help: str = ""
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    example: str = ""
    further: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricForm:
    """One metric: what it counts, and its parameters."""

    name: str
    description: str
    kind: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderForm:
    """One provider: its settings, and what can be counted there. `browser`: linked by OAuth too."""

    name: str
    title: str
    about: str
    fields: tuple[Field, ...]
    metrics: tuple[MetricForm, ...]
    browser: bool


def of_provider(provider: Provider) -> ProviderForm:
    """The forms of one provider."""
    found = [
        replace(each, further=each.further and not _main(each, provider))
        for each in fields(provider.settings)
    ]
    if provider.key_days is not None:
        help_ = f"the day on which the key was made: it ends after {provider.key_days} days"
        found.append(Field(name=KEY_MADE, label="Key made", kind="day", help=help_))
    return ProviderForm(
        name=provider.name,
        title=provider.title,
        about=_about(provider),
        fields=tuple(found),
        metrics=tuple(
            MetricForm(
                name=metric.name,
                description=metric.description,
                kind=metric.kind,
                fields=fields(metric.params),
            )
            for metric in provider.metrics.values()
        ),
        browser=provider.code_flow is not None,
    )


def _about(provider: Provider) -> str:
    """One sentence: what can be counted there."""
    told = [metric.description.split(",")[0].split(":")[0] for metric in provider.metrics.values()]
    more = ["and more"] if len(told) > ON_A_CARD else []
    return "; ".join(told[:ON_A_CARD] + more)


def _main(each: Field, provider: Provider) -> bool:
    """Is it one of the ways in, of which a person has to choose one?"""
    by_browser = provider.code_flow is not None and each.name.startswith(("client_", "oauth_"))
    return each.kind == "secret" or by_browser or each.name in ("tenant", "email", "url")


def fields(model: type[BaseModel]) -> tuple[Field, ...]:
    """The fields of a model, those that have to be given first in their order."""
    found = [_field(name, info) for name, info in model.model_fields.items()]
    return tuple(sorted(found, key=lambda each: not each.required))


def _field(name: str, info: FieldInfo) -> Field:
    required = info.is_required()
    default = "" if required or info.default is None else info.default
    choices = _choices(info.annotation)
    example = next(iter(info.examples or ()), "")
    return Field(
        name=name,
        label=_label(name),
        kind=_kind(name, info.annotation, choices),
        help=(info.description or "").replace("`waggle source check` lists", "the source has"),
        required=required,
        default=("yes" if default else "") if isinstance(default, bool) else str(default),
        choices=choices,
        example=str(example),
        further=not required,
    )


def _label(name: str) -> str:
    """A name as people read it."""
    words = name.replace("_", " ").capitalize().split()
    return " ".join(SPELLED.get(word.lower(), word) for word in words)


def types_of(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 -- any type
    """The types of a union, or the one."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(one for one in get_args(annotation) if one is not type(None))
    return (annotation,)


def _choices(annotation: Any) -> tuple[str, ...]:  # noqa: ANN401 -- any type
    for one in types_of(annotation):
        if get_origin(one) is Literal:
            return tuple(str(value) for value in get_args(one))
    return ()


def _kind(name: str, annotation: Any, choices: tuple[str, ...]) -> Kind:  # noqa: ANN401 -- any type
    given = types_of(annotation)
    if choices:
        return "choice"
    if SecretStr in given:
        return "secret"
    if bool in given:
        return "flag"
    if given in ((int,), (float,)):
        return "number"
    return "address" if name == "url" or name.endswith("_url") else "text"
