"""Who holds a lease, and whether that process is known to be gone.

A lease of somebody who was killed ends by itself after ten seconds. Whoever starts on the same
machine can tell sooner: a name says in which boot and which process namespace its process is
found, and when that one started. Of anybody else's process nothing is known.
"""

import hashlib
import os
import secrets
import socket
from pathlib import Path

PROC = Path("/proc")
START_FIELD = 19  # of /proc/PID/stat behind the command's name: field 22, in ticks since the boot


def name() -> str:
    """Who holds a lease: unique to this start of this process."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_place()}-{_started(pid) or 0}-{secrets.token_hex(4)}"


def is_gone(other: str) -> bool:
    """Did a process of this name run here, and is over? False where that is not known."""
    host, _, pid = other.rpartition(":")[0].rpartition(":")
    place, _, since = other.rpartition(":")[2].partition("-")
    started = since.partition("-")[0]
    if host != socket.gethostname() or place != _place() or not place:
        return False
    if not (pid.isdigit() and started.isdigit()):
        return False
    return _started(int(pid)) != int(started)


def _place() -> str:
    """The boot of this machine and the namespace of processes; empty where there is no /proc."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text()
        namespace = (PROC / "self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:8]


def _started(pid: int) -> int | None:
    """When this process started, None when there is none (a zombie holds nothing any more)."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[START_FIELD])
