"""Where validated answers are kept between requests (RFC 9110, 8.8.3)."""

import collections
import threading
from typing import Protocol


class EtagCache(Protocol):
    """Values by full URL. What is put in is plain JSON data, so a store may serialise it."""

    def get(self, url: str) -> tuple[str, object] | None:
        """The strong tag, quotes included, and the value that came with it."""

    def put(self, url: str, etag: str, value: object) -> None:
        """Keep the value; a former one of the same URL is replaced."""


class MemoryEtagCache:
    """The newest `size` values of one process, the least recently used dropped first."""

    def __init__(self, *, size: int = 256) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[str, tuple[str, object]] = collections.OrderedDict()

    def get(self, url: str) -> tuple[str, object] | None:
        """The tag and the value of a URL, None if it is not kept."""
        with self._lock:
            found = self._kept.get(url)
            if found is not None:
                self._kept.move_to_end(url)
            return found

    def put(self, url: str, etag: str, value: object) -> None:
        """Keep a value under its URL."""
        with self._lock:
            self._kept[url] = (etag, value)
            self._kept.move_to_end(url)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
