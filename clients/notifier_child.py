"""The process that asks Apprise: one job on stdin, one line of JSON for each letter on stdout.

Where a guard is set, the interpreter asks us before it connects, opens or starts anything (PEP 578;
https://docs.python.org/3/library/audit_events.html): so what is checked is what is called, however
an address was written, wherever a name or a redirect leads, and whichever plugin it is.
"""

import contextlib
import json
import logging
import os
import re
import resource
import sys
import sysconfig
import threading
import urllib.parse
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TextIO

from clients.notifier import START_SECONDS, TIME_OVER
from clients.public import REMEDY, is_public
from clients.redaction import scrub_text

# Apprise reads what is sent back for so long. Ours is the shorter limit, so that a service that is
# merely slow is not told twice.
READ_SECONDS = 60.0
CONNECT_SECONDS = 8.0
LONGEST_REASON = 200
# Apprise reads and unpacks an answer whole, however large it turns out to be.
MOST_MEMORY = 512 * 1024 * 1024
SHORTEST_SECRET = 4
# What shows something on this machine, or writes to its log.
LOCAL = frozenset(
    {"blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
)
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty")
CALLS = ("socket.connect", "socket.sendto", "socket.sendmsg")

NOT_UNDERSTOOD = "is not an Apprise address that this Waggle understands"
NOT_FOR_PEOPLE = "works on the machine that Waggle runs on: for its operator only"
NOT_PUBLIC = f"its address is not public, and this Waggle serves several people; {REMEDY}"
NO_FILES = "would read a file, or start a program, of the machine that Waggle runs on"

_refused: ContextVar[list[str] | None] = ContextVar("refused", default=None)


class RefusedError(PermissionError):
    """The guard does not let this happen. What it was is told by `_refused`."""


def main() -> None:
    """Do the job; the process ends with the last letter, or when its time is over."""
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints is no word of ours
    job = json.load(sys.stdin)
    _end_in(START_SECONDS + job["seconds"])
    logging.getLogger().addHandler(logging.NullHandler())
    guarded = job["guard"] is not None
    ask = _apprise()
    if guarded:
        _watch(**job["guard"])
    _end_in(job["seconds"])  # to be there took the time that was meant for it
    lock = threading.Lock()
    threads = [
        threading.Thread(target=_do, args=(ask, out, lock, letter, job["send"], guarded))
        for letter in job["letters"]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0)


def _end_in(seconds: float) -> None:
    threading.Timer(seconds, lambda: os._exit(TIME_OVER)).start()


def _do(
    ask: Any,  # noqa: ANN401 -- see `_apprise`
    out: TextIO,
    lock: threading.Lock,
    letter: dict[str, str],
    send: bool,  # noqa: FBT001 -- handed through a thread
    guarded: bool,  # noqa: FBT001 -- likewise
) -> None:
    told = {"key": letter["key"], **_letter(ask, letter, send=send, guarded=guarded)}
    with lock:
        out.write(json.dumps(told) + "\n")
        out.flush()


def _apprise() -> Any:  # noqa: ANN401 -- a module that is only loaded here
    import apprise  # noqa: PLC0415 -- 40 MB, in this process only

    # Plugins are loaded when the first address is looked at: before anything is guarded.
    apprise.Apprise.instantiate("json://localhost", suppress_exceptions=True)
    return apprise


def _letter(
    ask: Any,  # noqa: ANN401 -- see `_apprise`
    letter: dict[str, str],
    *,
    send: bool,
    guarded: bool,
) -> dict[str, Any]:
    refused: list[str] = []
    _refused.set(refused)
    asset = ask.AppriseAsset(
        app_id="Waggle",
        app_desc="Waggle",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        service_timeout=0,
        storage_mode=ask.PersistentStoreMode.MEMORY,
    )
    service = ask.Apprise.instantiate(letter["url"], asset=asset, suppress_exceptions=True)
    if service is None:
        reason = refused[0] if refused else NOT_UNDERSTOOD
        return {"ok": False, "reason": reason, "final": True}
    told = {"ok": True, "service": str(service.service_name)}
    if guarded and _names(service) & LOCAL:
        return told | {"ok": False, "reason": NOT_FOR_PEOPLE, "final": True}
    if not send:
        return told
    service.retry = 0  # when it is tried again stands in the ledger
    service.socket_read_timeout = READ_SECONDS
    service.socket_connect_timeout = CONNECT_SECONDS
    every = ask.Apprise(asset=asset)
    every.add(service)
    result = every.notify(letter["body"], title=letter["title"], body_format=ask.NotifyFormat.TEXT)
    if result:
        return told
    if refused:
        return told | {"ok": False, "reason": refused[0], "final": True}
    words = [entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR")]
    first = words[0] if words else f"{told['service']} did not take it"
    return told | {"ok": False, "reason": _clean(first, letter["url"])}


def _names(service: Any) -> set[str]:  # noqa: ANN401 -- a plugin of Apprise's
    found: set[str] = set()
    for names in (service.protocol, service.secure_protocol):
        found |= {names} if isinstance(names, str) else set(names or ())
    return found


def _clean(reason: str, url: str) -> str:
    """One line, without any part of the address: which of them are secret depends on the service.

    The host as well: where a service has one address for all, its place holds a token.
    """
    decoded = urllib.parse.unquote(url)
    parts = {part for text in (url, decoded) for part in re.split(r"[^\w.~%-]+|:", text)}
    secrets = sorted({url, decoded, *parts}, key=len, reverse=True)
    known = scrub_text(reason, [part for part in secrets if len(part) >= SHORTEST_SECRET])
    return " ".join(known.split())[:LONGEST_REASON]


def _watch(*, private: bool, loopback: bool) -> None:
    """From now on nothing of this process goes where people may not have it go."""
    readable = tuple(
        os.path.join(os.path.realpath(sysconfig.get_path(name)), "")  # noqa: PTH118 -- with a slash
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    )

    def may_call(address: object) -> bool:
        if not isinstance(address, tuple):
            return address is None  # None: it was asked about when it was connected
        if private:
            return True
        try:
            return is_public(str(address[0]), loopback=loopback)
        except ValueError:  # a name: who calls by it would have it looked up once more
            return False

    def may_open(path: str | bytes | int, flags: int) -> bool:
        if isinstance(path, int):
            return True
        reads = not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return reads and os.path.realpath(os.fsdecode(path)).startswith(readable)

    checks: dict[str, tuple[Callable[[Any], bool], str]] = {
        **dict.fromkeys(CALLS, (lambda args: may_call(args[1]), NOT_PUBLIC)),
        **dict.fromkeys(STARTS, (lambda _: False, NO_FILES)),
        "open": (lambda args: may_open(args[0], args[2]), NO_FILES),
    }

    def hook(event: str, args: tuple[Any, ...]) -> None:
        check = checks.get(event)
        if check is None or check[0](args):
            return
        told = _refused.get()
        if told is not None:
            told.append(check[1])
        raise RefusedError(check[1])

    sys.addaudithook(hook)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        main()
