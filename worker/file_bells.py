"""Bells as files of one folder: the embedded default.

kombu's filesystem transport with four changes. A bell is written under another name and renamed, so
that nobody reads half of it. It is fetched within its own folder, so that a bell taken by a worker
that dies lies there to be purged and not in /tmp. A queue that nobody listens to is full at some
point: a bell more would say nothing new. And whoever listens sleeps until something is renamed.
"""

import math
import os
import random
import uuid
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from queue import Empty
from time import monotonic, monotonic_ns, sleep
from typing import Any

import structlog
from kombu.transport import filesystem, virtual
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

from worker.renames import Renames

log = structlog.get_logger(__name__)

LOOK_EVERY = 0.5  # where renames are told: a disk may keep one to itself
FULL = 24  # bells in one queue: more than the slots of a worker, few enough to list quickly


class Channel(filesystem.Channel):  # type: ignore[misc] # kombu ships no types
    """Queues as files of one folder, written and taken by rename."""

    # Bells go straight to their queue. With fanout, kombu would keep its bindings in a file that
    # another process may read while it is still empty.
    supports_fanout = False
    get_table = virtual.Channel.get_table

    def _put(self, queue: str, payload: object, **_: object) -> None:
        if self._size(queue) >= FULL:
            return
        folder = Path(self.data_folder_out)
        name = f"{monotonic_ns() // 1_000_000:016d}_{uuid.uuid4().hex}.{queue}.msg"
        draft = folder / f".{name}"
        draft.write_bytes(str_to_bytes(dumps(payload)))
        draft.rename(folder / name)

    def _get(self, queue: str) -> object:
        names = self._names(queue)
        if not names:
            raise Empty
        folder = Path(self.data_folder_in)
        for name in sorted(names):
            taken = folder / f".taken.{name}"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another worker was faster
            payload = taken.read_bytes()
            taken.unlink()
            try:
                return loads(bytes_to_str(payload))
            except ValueError:
                log.warning("bell.damaged", queue=queue)  # a power cut; the sweep rings again
        raise Empty

    @cached_property
    def folder(self) -> str:
        """Where the bells lie."""
        return str(self.data_folder_in)

    @property
    def listens_to(self) -> Collection[str]:
        """The queues that are consumed on this channel."""
        queues: list[str] = self._active_queues
        return queues

    def _size(self, queue: str) -> int:
        return len(self._names(queue))

    def _names(self, queue: str) -> list[str]:
        ending = f"{queue}.msg"
        # Often: no Path objects, and kombu's own property is looked at once.
        names = os.listdir(self.folder)  # noqa: PTH208 -- see above
        return [name for name in names if name.partition(".")[2] == ending]


class Transport(filesystem.Transport):  # type: ignore[misc] # kombu ships no types
    """kombu's filesystem transport with the channel above, which sleeps until there is a bell.

    kombu asks each queue of each channel, fifty times a second, and an idle worker does little
    else. Here the folder is listed once for all queues, when something was renamed into it; where
    nobody tells, fifty times a second. Only if there is a bell for us, kombu looks for it.
    """

    Channel = Channel

    def __init__(self, client: Any, **more: Any) -> None:  # noqa: ANN401 -- kombu's connection
        super().__init__(client, **more)
        self._renames: Renames | None = None
        self._tells = True  # as far as is known

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # noqa: ANN401 -- kombu's
        """Deliver one bell; raises TimeoutError after so many seconds without one, or earlier."""
        ends_at = math.inf if timeout is None else monotonic() + timeout
        told = True
        while not self._anything():
            left = ends_at - monotonic()
            if left <= 0:
                raise TimeoutError
            told = self._rest(left)
        if not told and self._renames is not None and not self._renames.wait(0):
            log.info("bells.not_told", folder=self.channels[0].folder)
            self._tells = False
            self._let_go()
        try:
            super().drain_events(connection, timeout=0)
        except TimeoutError:
            # Somebody was faster, or we have no hands free: Celery frees them only in between.
            sleep(self.polling_interval)
            raise

    def close_connection(self, connection: Any) -> None:  # noqa: ANN401 -- kombu's
        """Nobody listens any more."""
        self._let_go()
        super().close_connection(connection)

    def _let_go(self) -> None:
        if self._renames is not None:
            self._renames.close()
            self._renames = None

    def _anything(self) -> bool:
        """Is there a bell for any of our queues?"""
        listening = [channel for channel in self.channels if channel.listens_to]
        if not listening:
            return False
        folder = listening[0].folder
        if self._tells and self._renames is None:
            try:
                self._renames = Renames(folder)  # before the look: nothing comes in between
            except OSError:
                self._tells = False
        ours = {f"{queue}.msg" for channel in listening for queue in channel.listens_to}
        names = os.listdir(folder)  # noqa: PTH208 -- no Path objects, as above
        return any(name.partition(".")[2] in ours for name in names)

    def _rest(self, seconds: float) -> bool:
        """Until the folder should be looked at again; False where that is only to be sure."""
        if self._renames is None:
            sleep(self.polling_interval)
            return True
        told = self._renames.wait(min(seconds, LOOK_EVERY))
        if told:
            # As if it were polled: workers that all woke at once would not share the bells, and
            # many renames are no more looks.
            sleep(random.uniform(0, self.polling_interval))  # noqa: S311 -- no secret
        return told
