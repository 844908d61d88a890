"""What `MODULE:NAME` names: a provider, and the trial that belongs to it."""

import importlib
import importlib.util
import os
import sys
from typing import Any

from tasks.providers import Provider
from tasks.trial import Trial

OUR_TRIALS = "worker.kit.trials"


class NotLoadedError(ValueError):
    """There is no such thing; the text is a sentence for whoever named it."""


def provider(name: str) -> Provider:
    """The provider of this name. NotLoadedError."""
    found = _made(_named(name), Provider, name)
    if not isinstance(found, Provider):
        raise NotLoadedError(
            f"{name} is {_kind(found)}, not a tasks.providers.Provider (nor gives one when called)"
        )
    return found


def trial(name: str | None, *, module: str, provider: str) -> Trial | None:
    """The trial of this name; by default `TRIAL` of the provider's module, or of `.trial` in it.

    Those of our own providers stand in `worker.kit.trials`. None where there is none;
    NotLoadedError for one that was named.
    """
    if name is not None:
        found = _made(_named(name), Trial, name)
        if not isinstance(found, Trial):
            raise NotLoadedError(
                f"{name} is {_kind(found)}, not a tasks.trial.Trial (nor gives one when called)"
            )
        return found
    for place in (module, f"{module}.trial", f"{OUR_TRIALS}.{provider}"):
        if place == module or _exists(place):
            offered = getattr(_module(place), "TRIAL", None)
            if offered is not None:
                return trial(f"{place}:TRIAL", module=module, provider=provider)
    return None


def _named(name: str) -> object:
    module, colon, attribute = name.partition(":")
    if not colon or not module or not attribute:
        raise NotLoadedError(f"{name} is not MODULE:NAME, such as waggle_json:PROVIDER")
    found: object = _module(module)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise NotLoadedError(f"module {module} has no {attribute}")
        found = getattr(found, part)
    return found


def _module(name: str) -> object:
    here = os.getcwd()  # noqa: PTH109 -- an entry of sys.path is a text
    if here not in sys.path:  # as `python -m` has it: whoever tries a package stands in its folder
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        message = f"{name} can't be imported: {type(error).__name__}: {text}"
        raise NotLoadedError(message) from error


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # what should be its package is a plain module
        return False


def _made(found: object, wanted: type, name: str) -> object:
    """The thing itself, or what it gives when it is called without arguments."""
    if isinstance(found, wanted) or not callable(found):
        return found
    give: Any = found
    try:
        return give()
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        raise NotLoadedError(f"{name}() raises {type(error).__name__}: {text}") from error


def _kind(found: object) -> str:
    return f"of type {type(found).__name__}"
