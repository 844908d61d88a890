"""The figures as a whole: bounded whatever comes in, told in the documents, named as is usual."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from db import tallies
from db.models import Event, Feed, Goal, Source, User, Worker
from db.models_limits import Breaker, Quota
from db.models_runs import Run
from db.states import DatapointState, EventState, FeedState, Stream
from db.tallies import Key, Seen
from webhooks import metrics, probe
from webhooks.ledger_metrics import ALL_QUEUES
from webhooks.metrics import Metrics

DOCUMENT = Path(__file__).parents[2] / "docs" / "observing.md"
VENDORS = frozenset({"beeminder", "bemserver", "plugin"})
MANY = 300
LABELS = {
    "kind": set(metrics.KINDS),
    "outcome": {
        *metrics.OUTCOMES,
        *("done", "failed", "rung"),
        *(outcome for outcomes in tallies.OUTCOMES.values() for outcome in outcomes if outcome),
    },
    "state": {*EventState, *DatapointState, *FeedState},
    "queue": {"inbox", "outbox", *ALL_QUEUES},
    "stream": set(Stream),
    "of": {"source", "link"},
    "vendor": {*VENDORS, tallies.OTHER},
    "provider": {*VENDORS, tallies.OTHER},
}


@pytest.fixture
def crowded(serve, monkeypatch):
    """A ledger with many of everything that has a name, each of somebody else's making."""
    monkeypatch.setattr(probe, "FIGURES_FRESH_SECONDS", 0.0)
    serving = serve(vendors=VENDORS)
    now, odd = serving.clock.now(), 'stranger\n"}\\'
    numbers = range(1, MANY)
    with serving.ledger.write() as session:
        connection = session.connection()

        def fill(table, *rows):
            connection.execute(
                insert(table), [table(**row).model_dump(exclude_none=True) for row in rows]
            )

        fill(User, *({"id": n, "username": f"{odd}{n}"} for n in numbers))
        fill(
            Source,
            *(
                {"id": n, "user_id": n, "name": f"{odd}{n}", "provider": f"{odd}{n}",
                 "quota_key": f"{odd}{n}", "state": f"{odd}{n}"}
                for n in numbers
            ),
        )  # fmt: skip
        fill(
            Goal,
            *({"id": n, "user_id": n, "slug": odd, "declared_slug": odd} for n in numbers),
        )
        fill(
            Feed,
            *(
                {"goal_id": n, "source_id": n, "metric": odd, "state": f"{odd}{n}",
                 "last_error": f"{odd}{n}", "due_at": now - n}
                for n in numbers
            ),
        )  # fmt: skip
        fill(
            Event,
            *({"id": f"{n:026}", "kind": f"{odd}{n}", "state": f"{odd}{n}"} for n in numbers),
        )
        fill(
            Quota,
            *(
                {"key": f"{odd}{n}", "vendor": f"{odd}{n}", "closed_until": now + n}
                for n in numbers
            ),
        )
        fill(Breaker, *({"subject": f"{odd}{n}", "opened_at": now} for n in numbers))
        fill(
            Worker,
            *(
                {"name": f"{odd}{n}", "queues": f"{odd}{n}", "slots": 1, "started_at": now,
                 "seen_at": now}
                for n in numbers
            ),
        )  # fmt: skip
        fill(
            Run, *({"source_id": n, "run_id": f"{odd}{n}", "stream": f"{odd}{n}"} for n in numbers)
        )
        tallies.add(session, {Key("syncs", f"{odd}{n}", "fresh"): 1.0 for n in numbers}, now)
        tallies.add(session, {Key("syncs", "plugin", f"{odd}{n}"): 1.0 for n in numbers}, now)
        tallies.add(session, {Key(f"{odd}{n}", "plugin", "fresh"): 1.0 for n in numbers}, now)
        tallies.mark(session, {Key(tallies.SWEEP): Seen(now), Key(f"{odd}"): Seen(now)})
    return serving


def families(text):
    """What a scrape says, by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_nothing_that_others_name_becomes_a_label(crowded):
    """Every label has a vocabulary of ours, however many people, sources and plugins there are."""
    for number in range(50):
        crowded.autofetch(f"stranger-{number}", "stranger")
        crowded.client.post(f"/beeminder/autofetch/stranger-{number}")
    text = crowded.client.get("/metrics").text

    assert "stranger" not in text
    assert len(text) < 40_000
    assert len(text.splitlines()) < 600
    found = families(text)
    for family in found.values():
        for sample in family.samples:
            for label, value in sample.labels.items():
                assert label == "le" or value in LABELS[label], sample
    assert found["waggle_gates_closed"].samples[0].labels == {"vendor": "other"}
    assert found["waggle_gates_closed"].samples[0].value == MANY - 1
    assert found["waggle_gates_open_in_seconds"].samples[0].value == MANY - 1


def test_counts_of_workers_are_told_with_zeros(crowded):
    """A rate needs the value before the first one; what nobody knows is `other`."""
    found = families(crowded.client.get("/metrics").text)
    syncs = {
        (sample.labels["provider"], sample.labels["outcome"]): sample.value
        for sample in found["waggle_syncs"].samples
    }
    assert syncs["other", "fresh"] == MANY - 1
    assert syncs["bemserver", "fresh"] == syncs["plugin", "failed"] == 0.0
    assert len(syncs) == 4 * len(tallies.OUTCOMES["syncs"])


def described():
    """Every figure that there is: name, kind, labels, and what is said of it."""
    made = Metrics(VENDORS)
    ledger = {family.name for family in made.ledger.describe()}
    for family in sorted(made.registry.collect(), key=lambda family: family.name):
        labels = family._labelnames if family.name in ledger else LABELLED.get(family.name, ())
        name = family.name + ("_total" if family.type == "counter" else "")
        kind = "histogram" if family.type == "gaugehistogram" else family.type
        where = "ledger" if family.name in ledger else "receiver"
        yield name, kind, ", ".join(labels), where, family.documentation


LABELLED = {
    "waggle_callbacks": ("kind", "outcome"),
    "waggle_commits": ("outcome",),
    "waggle_bells": ("outcome",),
}


def test_names_say_what_and_in_which_unit():
    """As Prometheus wants it: `_total` for what only grows, `_seconds` for times, a text each."""
    for name, kind, _labels, _where, text in described():
        assert re.fullmatch(r"waggle_[a-z_]+", name), name
        assert (kind == "counter") == name.endswith("_total"), name
        assert text.endswith("."), name
        if text.startswith(("Age of", "How long", "Time until", "When")):
            assert name.endswith("_seconds"), name


def test_the_documents_have_each_figure_and_no_other():
    """The table is the one of the code: name, kind, labels, where it is counted, and its text."""
    told = {
        tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `waggle_")
    }
    assert told == set(described())
