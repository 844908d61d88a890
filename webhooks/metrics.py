"""The receiver's figures for Prometheus, in a registry of their own per app.

What a receiver counts is its own since it was started: each of several is scraped. What stands in
the ledger is told by `webhooks.ledger_metrics`. Labels have few values, all of our own making:
never a username, a slug or an address.
"""

from collections.abc import Collection

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from webhooks.ledger_metrics import LedgerMetrics

disable_created_metrics()  # type: ignore[no-untyped-call] # a series more for each of ours, which nobody asks for

KINDS = ("autofetch", "deauthorized", "reminder")
OUTCOMES = ("fresh", "accepted", "late", "failed", "unknown", "malformed", "not_stored")
HOLD_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30)
GROUP_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500)


class Metrics:
    """Counters of what was received, and what the ledger says. `vendors`: those that are named."""

    def __init__(self, vendors: Collection[str] = ()) -> None:
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
        self.ledger = LedgerMetrics(vendors)
        self.registry.register(self.ledger)

    def answered(self, kind: str, outcome: str) -> None:
        """Count one callback."""
        self._callbacks[kind, outcome].inc()

    def text(self) -> bytes:
        """The text format, version 0.0.4."""
        return generate_latest(self.registry)
