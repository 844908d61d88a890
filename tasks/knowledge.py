"""What a connection has learned of its source: kept in this process, and behind it in the notebook.

What was learned once is not asked for again, neither by this process nor by the next. So it may be
out of date. Whoever is refused for something that was remembered forgets it and asks once more, and
"there is no such thing" is never said from memory.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from db.notebook import Learned
from tasks.notebook import Notebook

CLOCKS_DIFFER = 60.0

T = TypeVar("T")


class Knowledge:
    """Facts by name, used by many threads. `now` gives UTC seconds."""

    def __init__(self, notebook: Notebook, now: Callable[[], float]) -> None:
        self._notebook = notebook
        self._now = now
        self._here: dict[str, Learned] = {}
        self._unwritten: dict[str, Learned] = {}
        self._lock = threading.Lock()

    def look_up(self, names: Mapping[str, float]) -> None:
        """Read what others have learned of these, where nothing so new (in seconds) is known here.

        The ledger is asked once for all of them, or not at all.
        """
        missing = [
            name for name, within in names.items() if not self._holds(self._here.get(name), within)
        ]
        if missing:
            found = self._notebook.learned(missing)
            with self._lock:
                # What is being learned at this moment is newer.
                self._here |= {
                    name: fact for name, fact in found.items() if self._newer(name, fact)
                }

    def get(self, name: str, shape: TypeAdapter[T], *, within: float) -> T | None:
        """A fact that was learned `within` so many seconds, None where none is known here.

        What another version has written down in another shape is not known.
        """
        fact = self._here.get(name)
        if fact is None or not self._holds(fact, within):
            return None
        try:
            return shape.validate_python(fact.value)
        except ValidationError:
            return None

    def learn(self, name: str, shape: TypeAdapter[T], value: T) -> None:
        """Know this from now on; others do when it is written down."""
        fact = Learned(shape.dump_python(value, mode="json"), self._now())
        with self._lock:
            self._here[name] = self._unwritten[name] = fact

    def write_down(self) -> None:
        """Write what is new into the notebook, if anything is."""
        with self._lock:
            unwritten, self._unwritten = self._unwritten, {}
        if unwritten:
            self._notebook.learn(unwritten)

    def forget(self, names: Collection[str]) -> None:
        """Know these no more, here and in the notebook."""
        with self._lock:
            for name in names:
                self._here.pop(name, None)
                self._unwritten.pop(name, None)
        self._notebook.forget(names)

    def _holds(self, fact: Learned | None, within: float) -> bool:
        # What was learned in the future was dated by a clock that was wrong.
        return fact is not None and -CLOCKS_DIFFER <= self._now() - fact.at <= within

    def _newer(self, name: str, fact: Learned) -> bool:
        here = self._here.get(name)
        return here is None or here.at <= fact.at
