"""Promises about what a provider says of itself; most need no vendor."""

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from tasks.limits import Quota
from tasks.providers import MetricParams, SourceSettings, ValueKind
from worker.kit.promises import promise
from worker.kit.stage import Stage

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_SOUNDS_SECRET = re.compile(r"(?:^|_)(?:password|passwd|passphrase|secret|token|key)$")


@promise("see tasks.providers.Provider: the key of a metric is its name", needs_trial=False)
def names_agree(stage: Stage) -> Iterator[str]:
    """It has a name for files, a title for people, and metrics under their own names."""
    provider: Any = stage.provider  # of a stranger: types are what is tried
    if not isinstance(provider.name, str) or not _NAME.fullmatch(provider.name):
        yield f"the name {provider.name!r} is none of small letters, digits, - and _"
    if not provider.title:
        yield "it has no title"
    if not provider.metrics:
        yield "it has no metrics"
    if not callable(provider.connect):
        yield "connect can't be called"
    if not issubclass(provider.settings, SourceSettings):
        yield f"{provider.settings.__name__} is no subclass of SourceSettings"
    for name, metric in provider.metrics.items():
        if metric.name != name:
            yield f"the metric {metric.name!r} stands under {name!r}"
        if not issubclass(metric.params, MetricParams):
            yield f"{metric.params.__name__} is no subclass of MetricParams"
        if not metric.kind:
            yield f"metric {name} does not say which kind of value it has"


@promise('write Field(description="…"), which `waggle metrics` shows', needs_trial=False)
def everything_is_described(stage: Stage) -> Iterator[str]:
    """Each metric, parameter and setting has a description for people."""
    for name, metric in stage.provider.metrics.items():
        if not metric.description:
            yield f"metric {name} has no description"
        for field, found in metric.params.model_fields.items():
            if not found.description:
                yield f"parameter {field} of {name} has no description"
    for field, found in stage.provider.settings.model_fields.items():
        if not found.description:
            yield f"setting {field} has no description"


@promise('keep model_config of the base class: extra="forbid"', needs_trial=False)
def unknown_keys_are_refused(stage: Stage) -> Iterator[str]:
    """A slip in the file is refused, not ignored."""
    models = {"the settings": stage.provider.settings}
    for what, model in [
        *models.items(),
        *((f"the parameters of {name}", m.params) for name, m in stage.provider.metrics.items()),
    ]:
        if model.model_config.get("extra") != "forbid":
            yield f"{what} take keys that they don't know"


@promise("make it a SecretStr: it is stored encrypted, and shown nowhere", needs_trial=False)
def secrets_are_secret(stage: Stage) -> Iterator[str]:
    """Every setting that is a secret is a SecretStr, and `secrets()` names it."""
    settings = stage.provider.settings
    named = settings.secrets()
    for field, found in settings.model_fields.items():
        secret = _holds(found.annotation, SecretStr)
        if secret and field not in named:
            yield f"secrets() does not name {field}"
        if not secret and _holds(found.annotation, str) and _SOUNDS_SECRET.search(field):
            yield f"setting {field} sounds like a secret, and is plain text"


@promise("account() is the address and the login as they were declared: see SourceSettings")
def the_account_stays(stage: Stage) -> Iterator[str]:
    """`account()` is the same for ever, also with another secret, and holds none."""
    account: Any = stage.settings().account()
    if not isinstance(account, str) or not account:
        yield f"account() is {account!r}, not a text"
        return
    if stage.settings().account() != account:
        yield "account() is another one each time"
    for name, value in stage.given().items():
        if name not in stage.secret_names() or not isinstance(value, str):
            continue
        if value and value in account:
            yield f"account() holds the secret {name}"
        try:
            other = stage.settings(**{name: _another(value)})
        except ValidationError:  # of another form: that it is not held is all that can be known
            continue
        if other.account() != account:
            yield f"account() changes with the secret {name}"


@promise("see SourceSettings.quotas and tasks.limits.Quota")
def quotas_are_told(stage: Stage) -> Iterator[str]:
    """`quotas()` names whom the vendor counts by, the account first, without a secret."""
    quotas = stage.settings().quotas()
    if not quotas:
        yield "quotas() names nobody"
    plain = [v for k, v in stage.given().items() if k in stage.secret_names() and v]
    for quota in quotas:
        if not isinstance(quota, Quota):
            yield f"quotas() gives {type(quota).__name__}"
        elif any(str(secret) in f"{quota.account} {quota.title}" for secret in plain):
            yield "a quota holds a secret"


@promise("use types that JSON has: text, numbers, true and false, lists of them")
def parameters_are_plain(stage: Stage) -> Iterator[str]:
    """Parameters stand in the ledger as JSON and come back the same; so does `counting()`."""
    for feed in stage.trial.feeds:
        params = stage.params(feed)
        try:
            kept = json.loads(_plain(params.model_dump(mode="json", exclude_unset=True)))
            counting = json.loads(_plain(params.counting()))
        except (TypeError, ValueError) as error:
            yield f"{feed.metric}: no plain JSON, {error}"
            continue
        if type(params).model_validate(kept) != params:
            yield f"{feed.metric}: other parameters once they are stored"
        if counting != params.counting():
            yield f"{feed.metric}: counting() is another one once it is JSON"
        if params.value_kind() not in get_args(ValueKind):
            yield f"{feed.metric}: value_kind() is {params.value_kind()!r}"


def _plain(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _another(secret: str) -> str:
    """A secret of the same form."""
    last = "b" if secret[-1:] == "a" else "a"
    return secret[:-1] + last


def _holds(annotation: Any, kind: type) -> bool:  # noqa: ANN401 -- any type that a model may use
    return annotation is kind or any(_holds(part, kind) for part in get_args(annotation))


PROMISES = (
    names_agree,
    everything_is_described,
    unknown_keys_are_refused,
    secrets_are_secret,
    the_account_stays,
    quotas_are_told,
    parameters_are_plain,
)
