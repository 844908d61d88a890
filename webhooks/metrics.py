"""The receiver's figures for Prometheus, in a registry of their own per app.

Labels have few values, all of our own making: never a username, a slug or an address.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from db.runs_listed import Figures
from webhooks.queries import Hindrances

KINDS = ("autofetch", "deauthorized", "reminder")
OUTCOMES = ("fresh", "accepted", "late", "failed", "unknown", "malformed", "not_stored")
HOLD_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30)
GROUP_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500)


class Metrics:
    """Counters of what was received, and gauges that are set when somebody scrapes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        callbacks = Counter(
            "waggle_callbacks",
            "Callbacks by kind and what was answered.",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self._callbacks = {
            (kind, outcome): callbacks.labels(kind, outcome)
            for kind in KINDS
            for outcome in OUTCOMES
        }
        self.hold_seconds = Histogram(
            "waggle_hold_seconds",
            "How long autofetch callbacks were held.",
            buckets=HOLD_BUCKETS,
            registry=self.registry,
        )
        self.held = Gauge("waggle_held", "Callbacks held now.", registry=self.registry)
        self.watchers = Gauge(
            "waggle_run_watchers", "Browsers and programs that watch runs.", registry=self.registry
        )
        self.feed_watchers = Gauge(
            "waggle_feed_watchers", "Browsers that watch feeds.", registry=self.registry
        )
        self.commits = Counter(
            "waggle_commits", "Commits of callbacks.", ["outcome"], registry=self.registry
        )
        self.group_size = Histogram(
            "waggle_commit_callbacks",
            "Callbacks per commit.",
            buckets=GROUP_BUCKETS,
            registry=self.registry,
        )
        self.bells = Counter(
            "waggle_bells", "Bells by how it went.", ["outcome"], registry=self.registry
        )
        self._inbox = Gauge(
            "waggle_inbox_events", "Events by state.", ["state"], registry=self.registry
        )
        self._outbox = Gauge(
            "waggle_outbox_datapoints", "Datapoints by state.", ["state"], registry=self.registry
        )
        self._oldest_due = Gauge(
            "waggle_oldest_due_seconds",
            "Age of the oldest work that is due and that nobody does.",
            registry=self.registry,
        )
        self._workers = Gauge("waggle_workers", "Workers alive.", registry=self.registry)
        self._hindrances = HindranceGauges(self.registry)
        self._runs = RunGauges(self.registry)

    def answered(self, kind: str, outcome: str) -> None:
        """Count one callback."""
        self._callbacks[kind, outcome].inc()

    def set_ledger(
        self,
        *,
        inbox: Mapping[str, int],
        outbox: Mapping[str, int],
        oldest_due: float,
        workers: int,
    ) -> None:
        """Take over what the ledger says; `inbox` and `outbox` name every state."""
        for state, count in inbox.items():
            self._inbox.labels(state).set(count)
        for state, count in outbox.items():
            self._outbox.labels(state).set(count)
        self._oldest_due.set(oldest_due)
        self._workers.set(workers)

    def set_hindrances(self, found: Hindrances) -> None:
        """Take over what holds work up."""
        self._hindrances.set(found)

    def set_runs(self, found: Figures) -> None:
        """Take over how the following of runs goes."""
        self._runs.set(found)

    def text(self) -> bytes:
        """The text format, version 0.0.4."""
        return generate_latest(self.registry)


class HindranceGauges:
    """What holds work up: limits of vendors, silence, and feeds that killed their workers.

    The waits of workers are counted in the ledger, by events that come and go: so their sum is a
    gauge over the last day, not a counter.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        self._gates = gauge("waggle_gates_closed", "Gates that a limit closed.", "vendor")
        self._opens_in = gauge(
            "waggle_gates_open_in_seconds", "Time until the last closed gate opens.", "vendor"
        )
        self._waiting = gauge("waggle_gates_feeds_waiting", "Feeds that wait at gates.", "vendor")
        self._breakers = gauge(
            "waggle_breakers_open", "Sources, and links to Beeminder, that do not answer.", "of"
        )
        self._deferrals = gauge(
            "waggle_deferrals_last_day",
            "How often callbacks of the last 24 hours had to wait for a limit.",
        )
        self._suspects = gauge(
            "waggle_feeds_suspect", "Feeds that run alone: they were at work when a worker died."
        )
        self._set_aside = gauge(
            "waggle_feeds_set_aside", "Feeds that killed their worker too often to be tried again."
        )

    def set(self, found: Hindrances) -> None:
        """Take these figures over; a vendor of which nothing is known any more is left out."""
        for gauge, by_label in (
            (self._gates, found.gates),
            (self._opens_in, found.opens_in),
            (self._waiting, found.waiting),
            (self._breakers, found.breakers),
        ):
            gauge.clear()
            for label, figure in by_label.items():
                gauge.labels(label).set(figure)
        self._deferrals.set(found.deferrals)
        self._suspects.set(found.suspects)
        self._set_aside.set(found.set_aside)


class RunGauges:
    """Runs that go on: what their streams do, and whether anything is heard of them.

    Reconnects are counted for each run that goes on, and leave with it when it ends: their sum is a
    gauge, not a counter.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._streams = Gauge(
            "waggle_runs",
            "Runs that are followed, by what their streams do.",
            ["stream"],
            registry=registry,
        )
        self._reconnects = Gauge(
            "waggle_runs_reconnects",
            "How often the streams of the runs that go on now were opened again.",
            registry=registry,
        )
        self._stale = Gauge(
            "waggle_runs_stale",
            "Runs that go on, and of which nothing was heard for 5 minutes.",
            registry=registry,
        )
        self._lag = Gauge(
            "waggle_runs_lag_seconds",
            "How long the quietest run with an open stream was not heard of.",
            registry=registry,
        )

    def set(self, found: Figures) -> None:
        """Take these figures over."""
        for stream, count in found.streams.items():
            self._streams.labels(stream).set(count)
        self._reconnects.set(found.reconnects)
        self._stale.set(found.stale)
        self._lag.set(found.lag)
