"""A simulated BM Parts with one firm, and a connection to it."""

import httpx

from clients.gate import Open as OpenGate
from simulators.bmparts import Bmparts
from tasks.days import Window
from tasks.metrics import bmparts, bmparts_params
from tasks.metrics.bmparts_reader import Reader
from tasks.providers import Answer, Link, MetricParams, Request

KEY = "5a1f0b9e-canary-key.0123456789abcdef"
NOON = 1_795_176_000.0  # 20 November 2026, 12:00 UTC
DAY = 86400.0
MIDNIGHT = NOON - DAY / 2
WINDOWS = tuple(
    Window(f"202611{18 + n}", MIDNIGHT + (n - 2) * DAY, MIDNIGHT + (n - 1) * DAY) for n in range(3)
)
DOCUMENTS = bmparts_params.Documents()
SEARCHES = bmparts_params.Searches()


class Shop:
    """A simulated BM Parts with one firm, and a connection to it."""

    def __init__(self) -> None:
        self.sim = Bmparts(clock=lambda: NOON)
        self.state = self.sim.state
        self.state.add_key(KEY)

    def connect(self, url: str, http: httpx.Client, **more: object) -> None:
        """Make the reader, as the house does."""
        settings = bmparts.Settings(url=url, api_key=KEY, **more)
        link = Link(
            settings=settings,
            http=http,
            gate=OpenGate(),
            tokens=lambda _: None,
            now=lambda: NOON,
        )
        self.reader: Reader = bmparts.connect(link)

    def ask(self, metric: str, params: MetricParams, days: tuple[Window, ...] = WINDOWS) -> Answer:
        """What one feed is told."""
        return self.read((metric, params), days=days)[0]

    def read(
        self, *feeds: tuple[str, MetricParams], days: tuple[Window, ...] = WINDOWS
    ) -> dict[int, Answer]:
        """What these feeds are told, by their place."""
        return self.reader.read(
            [
                Request(key=n, metric=metric, params=params, days=days, now=NOON)
                for n, (metric, params) in enumerate(feeds)
            ]
        )

    def asked(self, path: str) -> int:
        """How many requests there were of it."""
        return self.sim.faults.count(path)


def values(answer: Answer) -> list[float | None]:
    """The values in the order of the days."""
    assert not isinstance(answer, Exception), answer
    return [reading.value for reading in answer.values()]


def value_of(path: str, pointer: str, **more: object) -> bmparts_params.Value:
    """A level."""
    return bmparts_params.Value(path=path, pointer=pointer, **more)


def total_of(path: str, pointer: str) -> bmparts_params.Total:
    """A total."""
    return bmparts_params.Total(path=path, pointer=pointer)
