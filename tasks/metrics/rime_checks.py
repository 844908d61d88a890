"""What is checked of the settings of RIME beyond their types."""

import ipaddress
import re
from urllib.parse import urlsplit

from clients import rime_paths
from clients.errors import Rejected

_POLL = re.compile(r"([0-9]{1,6})([smh])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_QUICKEST_POLL, _SLOWEST_POLL = 1.0, 3600.0


def id_of(given: str) -> str:
    """An id of the file as the API takes it; ValueError for what can't be one."""
    found = given.strip()
    try:
        rime_paths.segment(found)
    except Rejected as error:
        raise ValueError(f"{error}; `waggle source check` lists what there is") from None
    return found


def poll_seconds(given: str) -> float:
    """Seconds of "10s" or "1m"; ValueError for what is no such time."""
    match = _POLL.fullmatch(given.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not _QUICKEST_POLL <= seconds <= _SLOWEST_POLL:
        raise ValueError('has to be a time such as "10s" or "1m", from "1s" to "1h"')
    return seconds


def socket(url: str) -> str:
    """The address of a WebSocket that a token may be sent to; ValueError for any other."""
    parts = urlsplit(url)
    if parts.scheme not in ("wss", "ws") or not parts.hostname or any(map(str.isspace, url)):
        raise ValueError("has to be an address that begins with wss://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("may not hold a login or a #: `progress_auth` says how to log in")
    if parts.scheme == "ws" and not _is_loopback(parts.hostname):
        raise ValueError("is not encrypted: the token could be read on the way (write wss://)")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
