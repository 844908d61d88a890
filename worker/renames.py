"""Hearing at once that something was renamed into a folder: inotify, which Linux alone has.

https://man7.org/linux/man-pages/man7/inotify.7.html. What was renamed is not told: whoever waits
looks into the folder anyway, and must do so now and then, since not every disk tells everything.
"""

import ctypes
import os
import select
import weakref

IN_MOVED_TO = 0x80
MANY_BYTES = 65_536  # a thousand renames; what is left of more is heard by the next wait


class Renames:
    """What the kernel tells of one folder, to one thread. Raises `OSError` where it does not."""

    def __init__(self, folder: str) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            message = "there is no inotify"
            raise OSError(message)
        self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self.close = weakref.finalize(self, os.close, self._descriptor)
        if libc.inotify_add_watch(self._descriptor, os.fsencode(folder), IN_MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", folder)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Was there one since the last wait, or within so many seconds?"""
        if not self._poll.poll(seconds * 1000):
            return False
        os.read(self._descriptor, MANY_BYTES)
        return True
