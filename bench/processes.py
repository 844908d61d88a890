"""Processes of a measurement, in a session of their own, which end with it."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

STOPS_WITHIN = 15.0


@contextlib.contextmanager
def running(
    commands: Sequence[Sequence[str | Path]], *, folder: Path, environment: Mapping[str, str]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run these; what they say goes to the file `log` in the folder."""
    started: list[subprocess.Popen[bytes]] = []
    with (folder / "log").open("ab") as log, contextlib.ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(
                [str(word) for word in command],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            stack.callback(_end, process)
            started.append(process)
        yield started
        for process in started:
            process.terminate()  # all of them before the first is waited for


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def environment(**settings: str) -> dict[str, str]:
    """What a process gets of ours: no setting of this shell counts."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return kept | settings


def tail(folder: Path, lines: int = 15) -> str:
    """The end of the log."""
    text = (folder / "log").read_text(errors="replace") if (folder / "log").exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def wait_for_port(port: int, seconds: float) -> None:
    """Until somebody listens there; TimeoutError if nobody does in so many seconds."""
    ends_at = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > ends_at:
            raise TimeoutError(f"nobody listens on port {port}")
        time.sleep(0.05)
