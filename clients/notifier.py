"""Telling people through Apprise, in a process of its own that does nothing else and ends soon.

Apprise knows some 170 services and asks them each in its own way, with time limits of its own. In a
process of its own it can be ended at a moment that we choose, costs the worker no memory, has no
settings of ours in its environment, and can be watched: whatever is really called, opened or
started for a person's address is looked at there (`clients.notifier_child`).
https://appriseit.com/library/
"""

import contextlib
import dataclasses
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

CHILD = (sys.executable, "-P", "-m", "clients.notifier_child")  # -P: nothing of the working folder
START_SECONDS = 10.0  # for the process to be there: a machine under load
STOPPING_SECONDS = 3.0  # what is on its way may still end when its worker stops
LOOK_SECONDS = 0.25
TIME_OVER = 3  # the status of a process that has ended itself in time
# What the process may know of our environment: no setting, and so no secret.
KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

SILENT = "no answer in time, so it may have arrived"
GONE = "what was to send it ended without a word"


@dataclasses.dataclass(frozen=True, slots=True)
class Guard:
    """What an address that a person gave may not do: no files, no programs, no sockets of files.

    `private`: addresses that are not public may be called; `loopback`: or else this machine's own.
    """

    private: bool
    loopback: bool


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """A text for one address. `key` is the sender's own; the URL is a secret."""

    key: str
    url: str
    title: str = ""
    body: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a letter; `reason` has no secret in it.

    `service`: its name, as far as it is known. `final`: nothing changes by itself, the address is
    wrong or not allowed. `doubtful`: nobody knows whether it arrived.
    """

    key: str
    ok: bool
    service: str | None = None
    reason: str | None = None
    final: bool = False
    doubtful: bool = False


def send(
    letters: Sequence[Letter],
    *,
    guard: Guard | None,
    seconds: float,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Send them side by side; each outcome as it comes, the last after `seconds`.

    `guard` None: these are addresses of the operator's.
    """
    yield from _have(letters, guard=guard, seconds=seconds, stopping=stopping, send=True)


def examine(letters: Sequence[Letter], *, guard: Guard | None, seconds: float) -> list[Outcome]:
    """Are these addresses understood and allowed? Nothing is sent."""
    return list(_have(letters, guard=guard, seconds=seconds, stopping=lambda: False, send=False))


def _have(
    letters: Sequence[Letter],
    *,
    guard: Guard | None,
    seconds: float,
    stopping: Callable[[], bool],
    send: bool,
) -> Iterator[Outcome]:
    waited = {letter.key for letter in letters}
    job = {
        "send": send,
        "seconds": seconds,
        "guard": None if guard is None else dataclasses.asdict(guard),
        "letters": [
            {"key": one.key, "url": one.url, "title": one.title, "body": one.body}
            for one in letters
        ],
    }
    silent = False
    with _child(proxies=guard is None or guard.private) as process:
        talk = _talk(process, json.dumps(job).encode(), seconds, stopping)
        for line in talk:
            if line is None:
                silent = True
                break
            told = Outcome(**json.loads(line))
            waited.discard(told.key)
            yield told
            if not waited:
                break
    for key in sorted(waited):
        yield Outcome(key=key, ok=False, reason=SILENT if silent else GONE, doubtful=send)


@contextlib.contextmanager
def _child(*, proxies: bool) -> Iterator[subprocess.Popen[bytes]]:
    names = (*KEPT, *PROXIES, *map(str.lower, PROXIES)) if proxies else KEPT
    kept = {name: os.environ[name] for name in names if name in os.environ}
    process = subprocess.Popen(  # noqa: S603 -- our own module
        CHILD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # of Apprise's own words nothing gets into our logs
        env={**kept, "HOME": os.devnull},
        bufsize=0,
        start_new_session=True,  # a Ctrl-C is for its parent
    )
    try:
        yield process
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


def _talk(
    process: subprocess.Popen[bytes], job: bytes, seconds: float, stopping: Callable[[], bool]
) -> Iterator[bytes | None]:
    """Hand the job in; lines as they come. None: the time is over."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        message = "the process was started without pipes"
        raise RuntimeError(message)
    os.set_blocking(stdin.fileno(), False)
    ends_at = time.monotonic() + START_SECONDS + seconds
    told_to_stop = False
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stdin, selectors.EVENT_WRITE)
        while (left := ends_at - time.monotonic()) > 0:
            if not told_to_stop and stopping():
                told_to_stop = True
                ends_at = min(ends_at, time.monotonic() + STOPPING_SECONDS)
            for key, _ in selector.select(min(left, LOOK_SECONDS)):
                if key.fileobj is stdin:
                    job = _written(stdin.fileno(), job)
                    if not job:
                        selector.unregister(stdin)
                        stdin.close()
                    continue
                found = os.read(stdout.fileno(), 65536)
                if not found:
                    if _status(process) == TIME_OVER:
                        yield None
                    return
                *lines, waiting = (waiting + found).split(b"\n")
                yield from lines
    yield None


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """How a process ended that has closed its output."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(timeout=LOOK_SECONDS)
    return None


def _written(pipe: int, job: bytes) -> bytes:
    """What is still to be written of it; nothing where nobody reads any more."""
    try:
        return job[os.write(pipe, job) :]
    except BrokenPipeError:
        return b""
