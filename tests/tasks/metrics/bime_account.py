"""A simulated Bime account, and a reader of it whose notebook counts what is written."""

import httpx

from clients.gate import Open
from simulators.bime import Bime
from simulators.server import LocalServer
from tasks.days import Window
from tasks.metrics import bime
from tasks.notebook import MemoryNotebook
from tasks.providers import Link, Request

NOON = 1_700_049_600.0  # 15 November 2023, 12:00 UTC
DAY = 86400.0
TOKEN = "canary-bime-token"


class Writing(MemoryNotebook):
    """A notebook that keeps what was written."""

    def __init__(self):
        super().__init__()
        self.written = []

    def write(self, url, validated, **seen):
        """Keep it, and write it down."""
        self.written.append((url, validated, seen))
        super().write(url, validated, **seen)


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        """UTC seconds."""
        return self.now


class Account:
    """`acme` on a simulated Bime, with a reader; `state` is what is there."""

    def __init__(self):
        self.clock = Clock()
        self.bime = Bime(clock=self.clock)
        self.state = self.bime.state
        self.state.add_account("acme", token=TOKEN)
        self.notebook = Writing()
        self.gate = Open()
        self.http = httpx.Client(trust_env=False, timeout=5)
        self.server = LocalServer(self.bime.app)

    def __enter__(self):
        self.server.start()
        self.reader = self.connect(access_token=TOKEN)
        return self

    def __exit__(self, *_args):
        self.http.close()
        self.server.stop()

    def link(self, tokens=None, version="v2", **settings):
        """What a connection gets."""
        return Link(
            settings=bime.Settings(url=f"{self.server.url}/{version}", **settings),
            http=self.http,
            gate=self.gate,
            tokens=tokens or self._no_tokens,
            now=self.clock,
            notebook=self.notebook,
        )

    def connect(self, **more):
        """A reader."""
        return bime.connect(self.link(**more))

    def ask(self, *metrics, days=(0,), reader=None):
        """The answers to these metrics, a list's name standing for records_created."""
        requests = [
            request(metric, days=days, now=self.clock.now, key=key)
            for key, metric in enumerate(metrics)
        ]
        answers = (reader or self.reader).read(requests)
        assert sorted(answers) == list(range(len(metrics)))
        return [answers[key] for key in range(len(metrics))]

    def value(self, metric, day=0):
        """One value."""
        (answer,) = self.ask(metric, days=(day,))
        if isinstance(answer, Exception):
            raise answer
        (reading,) = answer.values()
        return reading.value

    @property
    def statuses(self):
        """How each request was answered, by list."""
        return [
            (record.path.removeprefix("/v2/"), record.status)
            for record in self.bime.faults.requests
        ]

    @staticmethod
    def _no_tokens(_authenticate):
        raise AssertionError("a static token needs no turns")


def window(day):
    """A UTC day, 0 is the one of NOON."""
    starts = NOON - DAY / 2 + day * DAY
    return Window(f"day{day:+d}", starts, starts + DAY)


def request(metric, *, days=(0,), now=NOON, key=0):
    """A feed's question."""
    found = bime.PROVIDER.metrics.get(metric)
    name, params = ("records_created", {"resource": metric}) if found is None else (metric, {})
    return Request(
        key=key,
        metric=name,
        params=bime.PROVIDER.metrics[name].params(**params),
        days=tuple(window(day) for day in days),
        now=now,
    )
