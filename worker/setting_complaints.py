"""What is said about settings that are wrong, unknown or odd: one line each, without secrets."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ValidationError

from worker import setting_types

PREFIX = "WAGGLE_"
# Orchestrators tell every container where a service called "waggle" listens.
INJECTED = ("WAGGLE_PORT", "WAGGLE_SERVICE_")
SHORT_SECRET = 16


def names(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Attribute → its names in the environment, the documented one first."""
    found = {}
    for attribute, field in model.model_fields.items():
        choices = field.validation_alias
        if isinstance(choices, AliasChoices):
            found[attribute] = tuple(str(choice) for choice in choices.choices)
    return found


def lines(exc: ValidationError, given: Mapping[str, str], model: type[BaseModel]) -> list[str]:
    """What is wrong: the name, why, and an example; the value only if it is no secret."""
    told = []
    known = names(model)
    for error in exc.errors(include_url=False, include_input=False):
        place = str(error["loc"][0])
        attribute = next((a for a, aliases in known.items() if place in (a, *aliases)), place)
        used = next((name for name in known.get(attribute, ()) if name in given), place)
        field = model.model_fields[attribute]
        shown = f" (it is {given[used]!r})" if field.repr and used in given else ""
        example = (field.examples or [""])[0]
        told.append(f"{used}: {setting_types.sentence(error)}{shown}; example: {used}={example}")
    return told


def unknown(given: Mapping[str, str], model: type[BaseModel]) -> list[str]:
    """Names that look like ours and are not: most are slips of the pen."""
    known = sorted(name for aliases in names(model).values() for name in aliases)
    told = []
    for name in sorted(given):
        if not name.startswith(PREFIX) or name.startswith(INJECTED) or name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        told.append(f"{name} is not a setting, it is ignored{meant}")
    return told


def odd(
    *,
    database_url: str,
    beeminder_url: str,
    callback_secrets: Sequence[str],
    made_key: Path | None,
) -> list[str]:
    """What may be meant, but is a trap; `made_key`: the key file that stands in for a setting."""
    told = []
    if made_key is not None and not database_url.startswith("sqlite"):
        told.append(
            "WAGGLE_SECRET_KEYS is not set while DATABASE_URL is a server: each machine makes a "
            f"key of its own and cannot read the others' secrets; this machine's is in {made_key}"
        )
    if any(len(secret) < SHORT_SECRET for secret in callback_secrets):
        told.append(
            f"WAGGLE_CALLBACK_SECRETS holds a secret of fewer than {SHORT_SECRET} characters, "
            "which can be guessed; `waggle init` makes good ones"
        )
    if setting_types.is_plain_http(beeminder_url):
        told.append(
            "WAGGLE_BEEMINDER_URL is plain http to another host: tokens can be read on the way"
        )
    return told
