"""The kinds of values that settings have: how each is read, and what is said when it is wrong."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import BeforeValidator
from pydantic_core import ErrorDetails

DATABASES = ("sqlite", "postgresql", "postgres", "postgresql+psycopg")
BROKERS = ("amqp", "amqps", "pyamqp", "redis", "rediss", "sentinel", "filesystem")
USERNAME = re.compile(r"[a-z0-9_-]{1,100}")
PATH_SECRET = re.compile(r"[A-Za-z0-9._~-]{1,200}")
# A comma separates only where a new URL begins: a URL may hold commas itself.
BETWEEN_URLS = re.compile(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)")
FROM_PYDANTIC = {
    "int_parsing": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "float_parsing": "has to be a number",
    "finite_number": "has to be a number",
    "bool_parsing": "has to be 1 or 0",
}


class SettingsError(Exception):
    """A setting stops the start; `str` is one line per setting, fit for stderr."""


def sentence(error: ErrorDetails) -> str:
    """What was wrong with a value, in words; never the value."""
    known = FROM_PYDANTIC.get(error["type"])
    if known is not None:
        return known
    bounds = error.get("ctx", {})
    if error["type"] == "literal_error":
        return f"has to be {bounds['expected']}"
    return error["msg"].removeprefix("Value error, ").removeprefix("Input ")


def is_loopback(host: str | None) -> bool:
    """Is this host this machine?"""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_plain_http(url: str) -> bool:
    """Would this address be called in the clear, over a network?"""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname)


def items(text: object) -> tuple[str, ...]:
    """The parts of a comma-separated text, none of them empty."""
    parts = text.split(",") if isinstance(text, str) else list(_iterable(text))
    return tuple(part.strip() for part in parts if part.strip())


def _iterable(value: Any) -> Any:  # noqa: ANN401 -- a default that is a collection already
    return value


def folder(value: object) -> Path:
    """An absolute path; `~` is the home of whoever runs us."""
    path = Path(str(value)).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError("is a file, it has to be a folder")
    return path


def database_url(value: object) -> str:
    """An address of PostgreSQL, or of a SQLite file."""
    url = str(value)
    scheme, _, rest = url.partition("://")
    if scheme not in DATABASES:
        raise ValueError("has to begin with postgresql:// or sqlite:///")
    if scheme == "sqlite" and (not rest.strip("/") or ":memory:" in rest):
        raise ValueError("has to name a file: the processes share it")
    _split(url)
    return url


def broker_url(value: object) -> str:
    """An address of a message broker; whatever names no scheme is refused."""
    url = str(value)
    scheme = url.partition("://")[0]
    if "://" not in url or scheme not in BROKERS:
        raise ValueError("has to begin with amqp://, redis:// or filesystem://")
    _split(url)
    return "filesystem://" if scheme == "filesystem" else url


def web_url(value: object) -> str:
    """An http(s) address without a slash at its end."""
    url = str(value)
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("has to be an address that begins with https:// or http://")
    if any(char.isspace() for char in url):
        raise ValueError("has a space in it")
    return url.rstrip("/")


def _split(url: str) -> Any:  # noqa: ANN401 -- urllib's SplitResult
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is not a well-formed address") from None
    return parts


def fernet_keys(value: object) -> tuple[str, ...]:
    """Fernet keys; which one is bad is told by its place, its text is not shown."""
    keys = items(value)
    for place, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise ValueError(f"key {place} is not a Fernet key; `waggle init` makes one") from None
    return keys


def path_secrets(value: object) -> tuple[str, ...]:
    """Secrets that can stand in a path as they are."""
    secrets = items(value)
    if not all(PATH_SECRET.fullmatch(secret) for secret in secrets):
        raise ValueError("may hold letters, digits and . _ ~ - only: it is part of an address")
    return secrets


def canary(value: object) -> str:
    """USER/GOAL, in lower case."""
    found = str(value).strip().lower()
    username, slash, slug = found.partition("/")
    if not slash or not USERNAME.fullmatch(username) or not USERNAME.fullmatch(slug):
        raise ValueError("it is not USER/GOAL")
    return found


def usernames(value: object) -> frozenset[str]:
    """Beeminder usernames, in lower case."""
    found = frozenset(name.lower() for name in items(value))
    bad = sorted(name for name in found if not USERNAME.fullmatch(name))
    if bad:
        raise ValueError(f"{bad[0]!r} is not a Beeminder username")
    return found


def notify_urls(value: object) -> tuple[str, ...]:
    """Apprise URLs."""
    text = value if isinstance(value, str) else " ".join(_iterable(value))
    urls = tuple(url.strip(" ,") for url in BETWEEN_URLS.split(text) if url.strip(" ,"))
    if not all("://" in url for url in urls):
        raise ValueError("has to be Apprise URLs such as ntfy://ntfy.sh/my-topic")
    return urls


def proxies(value: object) -> str:
    """Addresses and networks, comma-separated; `*` believes everybody."""
    found = items(value)
    for item in found:
        if item == "*":
            continue
        try:
            ipaddress.ip_network(item, strict=False)
        except ValueError:
            raise ValueError(f"{item!r} is not an IP address or network") from None
    return ",".join(found)


def lower(value: object) -> object:
    """Words are accepted in any case of letters."""
    return value.lower() if isinstance(value, str) else value


Folder = Annotated[Path, BeforeValidator(folder)]
DatabaseUrl = Annotated[str, BeforeValidator(database_url)]
BrokerUrl = Annotated[str, BeforeValidator(broker_url)]
WebUrl = Annotated[str, BeforeValidator(web_url)]
FernetKeys = Annotated[tuple[str, ...], BeforeValidator(fernet_keys)]
PathSecrets = Annotated[tuple[str, ...], BeforeValidator(path_secrets)]
Canary = Annotated[str, BeforeValidator(canary)]
Usernames = Annotated[frozenset[str], BeforeValidator(usernames)]
NotifyUrls = Annotated[tuple[str, ...], BeforeValidator(notify_urls)]
Proxies = Annotated[str, BeforeValidator(proxies)]
Level = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)]
