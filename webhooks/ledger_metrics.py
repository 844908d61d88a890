"""What is told to Prometheus of the ledger: the same from every receiver, whoever counted it.

Every value of a label comes from a list of our own: states, queues, outcomes, and the vendors whose
providers are installed. What is of anybody else's making is counted as `other`. While the ledger
does not answer there are no such figures at all, and `waggle_ledger_up` is 0: old ones would look
as if all were well.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from db import tallies
from db.freshness import BOUNDS, Freshness
from db.movement import PROGRESS, QUEUES
from db.states import Stream
from db.tallies import OTHER, Key
from webhooks.figures import Figures

Samples = Iterator[tuple[Sequence[str], float]]
ALL_QUEUES = (*QUEUES, PROGRESS)

# Name, labels, what it is, and where in the figures it stands.
_PLAIN: Sequence[tuple[str, str, Callable[[Figures], float]]] = (
    (
        "waggle_oldest_due_seconds",
        "Age of the oldest work that nobody does although it could be done: not what limits hold.",
        lambda found: found.standing.oldest_due,
    ),
    ("waggle_workers", "Workers alive.", lambda found: found.standing.workers),
    ("waggle_worker_slots", "Slots of living workers.", lambda found: found.standing.slots),
    (
        "waggle_worker_slots_busy",
        "Slots of living workers in use.",
        lambda found: found.standing.busy,
    ),
    ("waggle_alerts_open", "Alerts to the operator that are not over.", lambda found: found.alerts),
    (
        "waggle_links_refused",
        "People whose token Beeminder refuses.",
        lambda found: found.standing.links,
    ),
    (
        "waggle_logins_refused",
        "Sources that refuse their login.",
        lambda found: found.standing.logins,
    ),
    (
        "waggle_deferrals_last_day",
        "How often callbacks of the last 24 hours had to wait for a limit.",
        lambda found: found.hindrances.deferrals,
    ),
    (
        "waggle_feeds_suspect",
        "Feeds that run alone: they were at work when a worker died.",
        lambda found: found.standing.suspects,
    ),
    (
        "waggle_feeds_set_aside",
        "Feeds that killed their worker too often to be tried again.",
        lambda found: found.standing.set_aside,
    ),
    (
        "waggle_runs_reconnects",
        "How often the streams of the runs that go on now were opened again.",
        lambda found: found.runs.reconnects,
    ),
    (
        "waggle_runs_stale",
        "Runs that go on, and of which nothing was heard for 5 minutes.",
        lambda found: found.runs.stale,
    ),
    (
        "waggle_runs_lag_seconds",
        "How long the quietest run with an open WebSocket was not heard of.",
        lambda found: found.runs.lag,
    ),
)
_BY: Sequence[tuple[str, str, str, Callable[[Figures], Mapping[str, float]]]] = (
    (
        "waggle_inbox_events",
        "state",
        "Events: those that are open, and those of the last 24 hours that ended.",
        lambda found: found.standing.inbox,
    ),
    (
        "waggle_outbox_datapoints",
        "state",
        "Datapoints that wait to be sent, for a person, or were refused.",
        lambda found: found.standing.outbox,
    ),
    (
        "waggle_queue_due",
        "queue",
        "Due work of a queue that nobody holds; what waits for limits counts too.",
        lambda found: {queue.lane: queue.due for queue in found.queues},
    ),
    (
        "waggle_queue_age_seconds",
        "queue",
        "Age of the oldest due work of a queue that nobody holds.",
        lambda found: {queue.lane: queue.oldest for queue in found.queues},
    ),
    (
        "waggle_queue_workers",
        "queue",
        "Living workers that serve a queue.",
        lambda found: {queue: found.serving.get(queue, 0) for queue in ALL_QUEUES},
    ),
    (
        "waggle_feeds",
        "state",
        "Feeds by state.",
        lambda found: {state: one.feeds for state, one in found.freshness.items()},
    ),
    (
        "waggle_feed_oldest_seconds",
        "state",
        "Age of the data of the feed that was synced longest ago.",
        lambda found: {state: one.oldest for state, one in found.freshness.items()},
    ),
    (
        "waggle_breakers_open",
        "of",
        "Sources, and links to Beeminder, that do not answer.",
        lambda found: found.hindrances.breakers,
    ),
    (
        "waggle_runs",
        "stream",
        "Runs that are followed, by what their streams do.",
        lambda found: {stream.value: found.runs.streams.get(stream, 0) for stream in Stream},
    ),
)
_BY_VENDOR: Sequence[tuple[str, str, Callable[[Figures], Mapping[str, float]]]] = (
    (
        "waggle_gates_closed",
        "Gates that a limit closed.",
        lambda found: found.hindrances.gates,
    ),
    (
        "waggle_gates_open_in_seconds",
        "Time until the last closed gate opens.",
        lambda found: found.hindrances.opens_in,
    ),
    (
        "waggle_gates_feeds_waiting",
        "Feeds that wait at gates.",
        lambda found: found.hindrances.waiting,
    ),
)
_COUNTED: Sequence[tuple[str, str, tuple[str, ...], str]] = (
    ("syncs", "waggle_syncs", ("provider", "outcome"), "Syncs of feeds, by how they ended."),
    (
        "vendor_requests",
        "waggle_vendor_requests",
        ("vendor", "outcome"),
        "Requests to vendors; refused: by a limit.",
    ),
    (
        "deferrals",
        "waggle_deferrals",
        ("vendor",),
        "How often work was put off because of a limit.",
    ),
    (
        "token_refreshes",
        "waggle_token_refreshes",
        ("provider", "outcome"),
        "Logins and renewals of tokens of sources.",
    ),
    ("datapoints", "waggle_datapoints", ("outcome",), "Datapoints that were sent."),
)
_FRESHNESS = (
    "waggle_feed_freshness_seconds",
    "Age of the data of the feeds: since they were synced, or made.",
)
_SWEPT = ("waggle_last_sweep_timestamp_seconds", "When somebody looked for due work last.")
_CANARY: Sequence[tuple[str, str]] = (
    (
        "waggle_canary_last_success_timestamp_seconds",
        "When a canary callback was answered 200 last.",
    ),
    ("waggle_canary_seconds", "How long that took, from the callback to its answer."),
    ("waggle_canary_failures", "How many canary callbacks in a row have failed since."),
)


class LedgerMetrics(Collector):
    """Figures of the ledger, as they were when they were set. `vendors`: those that are named."""

    def __init__(self, vendors: Collection[str] = ()) -> None:
        self._vendors = frozenset(vendors)
        self._found: Figures | None = None

    def set(self, found: Figures | None) -> None:
        """Tell these from now on; None: nothing is known."""
        self._found = found

    def describe(self) -> Iterable[Metric]:
        """The families, whatever is known."""
        return self._families(None)

    def collect(self) -> Iterable[Metric]:
        """The families with what is known."""
        return self._families(self._found)

    def _families(self, found: Figures | None) -> Iterator[Metric]:
        up = GaugeMetricFamily("waggle_ledger_up", "Whether the ledger answers (1) or not (0).")
        up.add_metric([], float(found is not None))
        yield up
        for name, text, plain in _PLAIN:
            yield _gauge(name, text, (), () if found is None else [((), plain(found))])
        for name, label, text, by in _BY:
            samples = {} if found is None else by(found)
            yield _gauge(name, text, (label,), [((key,), each) for key, each in samples.items()])
        for name, text, by in _BY_VENDOR:
            worst = "open_in" in name
            samples = {} if found is None else self._folded(by(found), worst=worst)
            yield _gauge(name, text, ("vendor",), [((key,), each) for key, each in samples.items()])
        for name, family, labels, text in _COUNTED:
            counter = CounterMetricFamily(family, text, labels=labels)
            for values, count in self._counted(name, found):
                counter.add_metric(values, count)
            yield counter
        yield _freshness({} if found is None else found.freshness)
        yield from _seen(found)

    def _known(self, vendor: str) -> str:
        return vendor if vendor in self._vendors else OTHER

    def _folded(self, figures: Mapping[str, float], *, worst: bool) -> dict[str, float]:
        """By known vendors; of all others together the sum, or the highest where that counts."""
        folded: dict[str, float] = {}
        for vendor, figure in figures.items():
            known = self._known(vendor)
            before = folded.get(known, 0.0)
            folded[known] = max(before, figure) if worst else before + figure
        return folded

    def _counted(self, name: str, found: Figures | None) -> Samples:
        """Counts, with zeros for all that may come: a rate needs the value before the first."""
        if found is None:
            return
        outcomes = tallies.OUTCOMES[name]
        by_vendor = name != "datapoints"
        subjects = [*sorted(self._vendors), OTHER] if by_vendor else [""]
        counts = {(subject, outcome): 0.0 for subject in subjects for outcome in outcomes}
        for key, seen in found.tallies.items():
            if key.name == name and key.outcome in outcomes:
                counts[self._known(key.subject) if by_vendor else "", key.outcome] += seen.value
        for labels, count in counts.items():
            yield [label for label in labels if label], count


def _gauge(
    name: str, text: str, labels: Sequence[str], samples: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=labels)
    for values, figure in samples:
        gauge.add_metric(values, figure)
    return gauge


def _freshness(by_state: Mapping[str, Freshness]) -> GaugeHistogramMetricFamily:
    histogram = GaugeHistogramMetricFamily(*_FRESHNESS, labels=["state"])
    for state, found in by_state.items():
        buckets = [(f"{bound:g}", float(n)) for bound, n in zip(BOUNDS, found.within, strict=True)]
        histogram.add_metric([state], [*buckets, ("+Inf", float(found.feeds))], found.sum)
    return histogram


def _seen(found: Figures | None) -> Iterator[GaugeMetricFamily]:
    known = {} if found is None else found.tallies
    swept = known.get(Key(tallies.SWEEP))
    yield _gauge(*_SWEPT, (), [] if swept is None else [((), swept.at)])
    fresh = known.get(Key(tallies.CANARY, "", tallies.CANARY_FRESH))
    failed = known.get(Key(tallies.CANARY, "", tallies.CANARY_FAILED))
    figures = (
        None if fresh is None else fresh.at,
        None if fresh is None else fresh.value,
        None if failed is None else failed.value,
    )
    for (name, text), figure in zip(_CANARY, figures, strict=True):
        yield _gauge(name, text, (), [] if figure is None else [((), figure)])
