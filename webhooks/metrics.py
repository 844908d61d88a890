"""The receiver's figures for Prometheus, in a registry of their own per app.

Labels have few values, all of our own making: never a username, a slug or an address.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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

    def text(self) -> bytes:
        """The text format, version 0.0.4."""
        return generate_latest(self.registry)
