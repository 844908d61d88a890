"""Callers that never rest, for what must not be noticed by any of them."""

import threading
from collections import Counter
from typing import Self

import httpx

from tests.blackbox.house import SECRET, House

GOALS = ("energy", "output")


class Callers:
    """Beeminder, calling back for every goal without a pause, wherever the proxy sends it."""

    def __init__(self, house: House, url: str) -> None:
        self.url = url
        self.answers: Counter[tuple[str, str]] = Counter()
        self._http = house.http
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(slug,)) for slug in GOALS]
        self._busy: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def answered(self, url: str) -> int:
        """How many callbacks this receiver has answered."""
        with self._lock:
            return sum(count for (at, _), count in self.answers.items() if at == url)

    def drained(self, url: str) -> bool:
        """Nobody waits for an answer of this receiver any more."""
        with self._lock:
            return self._busy[url] == 0

    def _call(self, slug: str) -> None:
        while not self._ended.is_set():
            with self._lock:
                url = self.url
                self._busy[url] += 1
            try:
                data = {"username": "alice", "slug": slug}
                answer = self._http.post(f"{url}/beeminder/autofetch/{SECRET}", data=data)
                outcome = f"{answer.status_code} {answer.json()['status']}"
            except httpx.HTTPError as error:
                outcome = f"lost: {error!r}"
            with self._lock:
                self._busy[url] -= 1
                self.answers[url, outcome] += 1
