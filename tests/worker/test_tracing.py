"""Traces: one callback is one trace over receiver and worker, and no secret is in it."""

import json
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from db import inbox
from tasks.tracing import NoTracer
from tests.world import NO_TLS, PASSWORD, TOKEN
from webhooks.tracing import Answered
from worker import settings, tracing
from worker.tracing import Tracing
from worker.vendor_http import VendorClient

MS = 1_000_000


@pytest.fixture
def told():
    """What was sent to whoever gathers traces."""
    return InMemorySpanExporter()


@pytest.fixture
def receiver(told):
    """The tracer of a receiver."""
    return Tracing(SimpleSpanProcessor(told), "web")


@pytest.fixture
def rt(told, world):
    """A worker with a tracer of its own, which shares nothing with the receiver but the ledger."""
    tracer = Tracing(SimpleSpanProcessor(told), "worker")
    with VendorClient(tracer=tracer, verify=NO_TLS, timeout=5) as http:
        yield world.runtime(tracer=tracer, http=http)


def answer(receiver, event_id: str) -> None:
    """The receiver has answered this callback."""
    receiver(
        Answered(
            event_id=event_id, request_id="r-1", kind="autofetch", outcome="fresh",
            came_at=1000 * MS, stored_at=1003 * MS, answered_at=1200 * MS,
        )
    )  # fmt: skip


def by_name(told, trace: int | None = None):
    """Spans by name, of one trace where it is given."""
    found: dict = {}
    for span in told.get_finished_spans():
        if trace is None or span.context.trace_id == trace:
            found.setdefault(span.name, []).append(span)
    return found


def test_a_callback_is_one_trace_over_both(world, rt, receiver, told):
    """Received, stored, held and answered there; claimed, fetched and pushed here."""
    event_id = world.call_back()
    world.work(rt)  # it ends before the receiver tells of it
    answer(receiver, event_id)

    found = by_name(told, inbox.number_of(event_id))
    assert {"callback", "store", "hold", "sync", "fetch", "push", "GET", "POST"} <= set(found)
    assert len(by_name(told)["callback"]) == 1
    (root,) = found["callback"]
    assert root.parent is None
    assert (root.start_time, root.end_time) == (1000 * MS, 1200 * MS)
    assert root.attributes["waggle.request_id"] == "r-1"
    for name in ("store", "hold", "sync"):
        assert found[name][0].parent.span_id == root.context.span_id, name
    (sync,) = found["sync"]
    for name in ("fetch", "push"):
        assert found[name][0].parent.span_id == sync.context.span_id
    assert found["push"][0].attributes["waggle.landed"] > 0
    all_of_it = [span for spans in found.values() for span in spans]
    assert {span.resource.attributes["waggle.process"] for span in all_of_it} == {"web", "worker"}
    fetched = [
        span for span in found["GET"] if span.parent.span_id == found["fetch"][0].context.span_id
    ]
    assert fetched[0].attributes["http.response.status_code"] == 200
    assert fetched[0].attributes["server.address"] == "127.0.0.1"


def test_one_sync_that_answers_many_is_in_the_trace_of_each(world, rt, receiver, told):
    """In the first one's as it is; the others have a mark that leads there."""
    first, second = world.call_back(), world.call_back()
    world.work(rt)
    ids = sorted([first, second])
    (sync,) = by_name(told, inbox.number_of(ids[0]))["sync"]
    (joined,) = by_name(told, inbox.number_of(ids[1]))["sync (joined)"]
    assert joined.links[0].context.span_id == sync.context.span_id


def test_work_that_nobody_asked_for_has_traces_of_its_own(world, rt, told):
    """A schedule is no part of any callback."""
    world.work(rt)
    (sync,) = by_name(told)["sync"]
    assert sync.parent is None


def test_a_failure_is_told_by_its_kind_alone(world, rt, told):
    """What a vendor says about it may hold anything."""
    world.bemserver.state.users.clear()
    world.call_back()
    world.work(rt)
    (fetch,) = by_name(told)["fetch"]
    assert not fetch.status.is_ok
    assert fetch.status.description == "AuthFailed"
    assert fetch.events == ()


def test_no_secret_and_no_address_is_in_a_trace(world, rt, receiver, told):
    """Tokens, passwords, paths, queries and comments: neither in names, attributes nor events."""
    world.link("output", series=world.other_series)
    answer(receiver, world.call_back())
    answer(receiver, world.call_back("output"))
    world.call_back("unknown")
    world.work(rt)
    text = json.dumps([json.loads(span.to_json()) for span in told.get_finished_spans()])
    assert len(told.get_finished_spans()) > 10
    for secret in (TOKEN, PASSWORD, "canary", "alice", "energy", "?", "auth_token", ".json", "kWh"):
        assert secret not in text, secret


def test_a_sampler_decides_alike_in_both(world, told, monkeypatch):
    """Half of the traces: either whole or not at all."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    web = Tracing(SimpleSpanProcessor(told), "web")
    worker = Tracing(SimpleSpanProcessor(told), "worker")
    ids = [world.call_back() for _ in range(40)]
    for event_id in ids:
        answer(web, event_id)
        with worker.span("sync", events=[event_id]):
            pass
    traces = [by_name(told, inbox.number_of(event_id)) for event_id in ids]
    assert {len(trace) for trace in traces} == {0, 4}


def test_an_id_of_somebody_else_is_no_trace(receiver, told):
    """Nothing fails for it."""
    answer(receiver, "odd")
    assert told.get_finished_spans() == ()


def test_off_unless_it_is_set():
    """Without an endpoint there is nothing, whatever is installed."""
    assert isinstance(tracing.start(settings.load({}, None), "web"), NoTracer)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    on = tracing.start(settings.load(env, None), "web")
    assert isinstance(on, Tracing)


BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Block())
import webhooks.serve, worker.processes
from tasks.tracing import NoTracer
from worker import logs, settings, tracing
logs.configure("json")
off = tracing.start(settings.load({}, None), "web")
env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
wanted = tracing.start(settings.load(env, None), "web")
assert isinstance(off, NoTracer) and isinstance(wanted, NoTracer)
with wanted.span("sync", events=["e"], feeds=1) as span:
    span.set(landed=1)
wanted.close()
assert not any(name.startswith("opentelemetry") for name in sys.modules)
"""


def test_all_works_without_the_extra(tmp_path):
    """Nothing imports it, and whoever sets the address is told once what to install."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=60, check=False,
        env={"WAGGLE_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["event"] == "traces.not_installed"
    assert "waggle-server[otel]" in json.loads(line)["remedy"]
