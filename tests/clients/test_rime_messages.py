"""One message in the envelopes of comparable systems, and in none."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from clients.rime_messages import Message, message
from clients.rime_messages_kinds import told_by
from clients.rime_models import outcome

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
DEEP: dict[str, object] = {}
for _ in range(400):
    DEEP = {"data": DEEP}


def told(frame, **more):
    """What a message tells, without what it does not."""
    found = message(frame, **more)
    return {
        name: value
        for name in Message.__dataclass_fields__
        if (value := getattr(found, name)) not in (None, "") and (name, value) != ("role", "other")
    }


# Whose form it is, the frame, and what it tells beside "role": "progress".
PROGRESS = {
    "ComfyUI: progress of a node": (
        {"type": "progress", "data": {"value": 3, "max": 20, "node": "7", "prompt_id": "p"}},
        {"kind": "progress", "step": "7", "fraction": 0.15},
    ),
    "ComfyUI: the end": (
        {"type": "execution_success", "data": {"prompt_id": "p", "timestamp": NOON * 1000}},
        {"kind": "execution_success", "status": "success", "at": NOON},
    ),
    "ComfyUI: a bad end": (
        {"type": "execution_error", "data": {"prompt_id": "p"}},
        {"kind": "execution_error", "status": "error"},
    ),
    "Prefect: an event": (
        {
            "type": "event",
            "event": {
                "id": "e1",
                "event": "prefect.flow-run.Completed",
                "occurred": "2026-11-20T12:00:00Z",
                "payload": {"intended": {"from": "RUNNING"}},
            },
        },
        {"kind": "prefect.flow-run.Completed", "status": "completed", "at": NOON, "id": "e1"},
    ),
    "Pusher: the data are a text": (
        {"event": "run-updated", "channel": "runs", "data": '{"run_id":"r1","state":"running"}'},
        {"kind": "run-updated", "run": "r1", "status": "running"},
    ),
    "openHAB: the payload is a text": (
        {"type": "RunStateEvent", "topic": "x/y", "payload": '{"runId":"r1","rows":5}'},
        {"kind": "RunStateEvent", "run": "r1", "rows": 5.0},
    ),
    "trigger.dev: the whole run": (
        {
            "id": "run_1",
            "status": "EXECUTING",
            "taskIdentifier": "t",
            "createdAt": "2026-11-20T11:00:00Z",
            "updatedAt": "2026-11-20T12:00:00Z",
            "attempt": 2,
            "output": None,
        },
        {"run": "run_1", "status": "EXECUTING", "attempt": 2, "at": NOON},
    ),
    "trigger.dev: the whole run, over": (
        {"id": "run_1", "status": "COMPLETED", "isCompleted": True},
        {"run": "run_1", "status": "COMPLETED"},
    ),
    "Home Assistant: an event": (
        {"id": 18, "type": "event", "event": {"data": {"run_id": "r1", "status": "failed"}}},
        {"run": "r1", "status": "failed"},
    ),
    "GraphQL: next": (
        {
            "id": "1",
            "type": "next",
            "payload": {"data": {"runUpdated": {"id": "r1", "status": "running"}}},
        },
        {"run": "r1", "status": "running"},
    ),
    "GraphQL: complete": (
        {"id": "1", "type": "complete"},
        {"kind": "complete", "status": "complete"},
    ),
    "Pipelit: a channel and a time": (
        {
            "type": "node_status",
            "channel": "execution:r1",
            "timestamp": "2026-11-20T12:00:00Z",
            "data": {"node_id": "n1", "status": "running"},
        },
        {"kind": "node_status", "step": "n1", "status": "running", "at": NOON},
    ),
    "Airbyte: counters": (
        {"type": "run.progress", "run_id": "r1", "seq": 4, "data": {"rows_extracted": "12"}},
        {"kind": "run.progress", "run": "r1", "seq": 4.0, "rows": 12.0},
    ),
    "Windmill: percent": (
        {"type": "progress", "run_id": "r1", "progress": 99},
        {"kind": "progress", "run": "r1", "fraction": 0.99},
    ),
    "a table of a connector": (
        {"type": "table.completed", "run_id": "r1", "data": {"name": "orders", "rows": 5}},
        {"kind": "table.completed", "run": "r1", "step": "orders", "status": "completed",
         "rows": 5.0},
    ),
    "a step with an id of its own": (
        {"type": "step.updated", "data": {"run_id": "r1", "id": "s1", "status": "failed"}},
        {"kind": "step.updated", "run": "r1", "step": "s1", "status": "failed"},
    ),
    "a step inside": (
        {"type": "update", "run_id": "r1", "step": {"id": 7, "status": "succeeded"}},
        {"run": "r1", "step": "7", "status": "succeeded"},
    ),
    "a run inside": (
        {"type": "run.updated", "run": {"id": "r1", "status": "running", "retry": 1}},
        {"kind": "run.updated", "run": "r1", "status": "running", "attempt": 2},
    ),
    "a run beside its progress": (
        {"run": "r1", "progress": {"current": 1, "total": 4}, "try": 1, "event_id": "e"},
        {"run": "r1", "fraction": 0.25, "attempt": 1, "id": "e"},
    ),
    "an id beside a kind is the message's": (
        {"type": "progress", "id": "e9", "status": "running", "progress": 0.5},
        {"kind": "progress", "id": "e9", "status": "running", "fraction": 0.5},
    ),
    "steps of the whole run": (
        {"id": "r1", "status": "running", "steps": [{"status": "Succeeded"}, {"status": "?"}]},
        {"run": "r1", "status": "running", "steps_done": 1, "steps_total": 2},
    ),
    "steps counted": (
        {"type": "run", "run_id": "r1", "data": {"stepsCompleted": 2, "totalSteps": 7}},
        {"kind": "run", "run": "r1", "steps_done": 2, "steps_total": 7},
    ),
    "a word that is not known": (
        {"type": "run", "run_id": "r1", "status": "simmering"},
        {"kind": "run", "run": "r1", "status": "simmering"},
    ),
    "the known word of two": (
        {"run_id": "r1", "status": "ok", "state": "Partially failed"},
        {"run": "r1", "status": "Partially failed"},
    ),
    "the word of the body, not of the envelope": (
        {"status": "success", "data": {"run_id": "r1", "state": "running"}},
        {"run": "r1", "status": "running"},
    ),
    "why a run failed": (
        {"run_id": "r1", "status": "failed", "error": {"code": "timeout", "message": "…"}},
        {"run": "r1", "status": "failed", "code": "timeout"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRESS)
def test_progress(name):
    """Every usual form tells what is in it, and nothing else."""
    frame, expected = PROGRESS[name]
    assert told(frame) == {"role": "progress", **expected}


CONTROL = [
    *((({"type": word}), "ready") for word in ("auth_ok", "auth_success", "authenticated")),
    *((({"type": word}), "ready") for word in ("connection_ack", "connected", "welcome")),
    *((({"event": word}), "ready") for word in ("subscribed", "ready", "authOk", "AUTH_OK")),
    ({"event": "pusher:connection_established", "data": '{"socket_id":"1"}'}, "ready"),
    ({"type": "auth_ok", "status": "success"}, "ready"),
    *((({"type": word, "message": "no"}), "refused") for word in ("auth_invalid", "auth_error")),
    ({"type": "unauthorized"}, "refused"),
    ({"type": "error", "error": {"code": "unauthorized"}}, "refused"),
    ({"type": "error", "code": 4401}, "refused"),
    ({"type": "result", "success": False, "error": {"code": "unauthorized"}}, "refused"),
    ({"event": "pusher:error", "data": {"code": 4009}}, "refused"),
    ({"error": {"code": "unauthorized", "message": "no"}}, "refused"),
    ({"error": {"code": "rate_limited", "message": "no"}}, "error"),
    ({"error": "what"}, "error"),
    ({"type": "error", "payload": [{"message": "no"}]}, "error"),
    ({"type": "ping"}, "ping"),
    ({"event": "pusher:ping", "data": {}}, "ping"),
    ({"type": "ka"}, "ping"),
    ({"type": "auth_required", "ha_version": "1"}, "other"),
    ({"type": "auth", "status": "success"}, "other"),
    ({"type": "result", "success": True, "result": None}, "other"),
    ({"type": "status", "data": {"sid": "1", "queue_remaining": 3}}, "other"),
    ({"type": "executing", "data": {"node": None}}, "other"),
    ({"type": "batch_completed"}, "other"),
    ({"type": "step_completed"}, "other"),
    ({"type": "task-run.Completed", "status": "completed"}, "other"),
    ({"type": 5, "data": 7}, "other"),
    ({}, "other"),
    (DEEP, "other"),
]


@pytest.mark.parametrize("number", range(len(CONTROL)))
def test_control(number):
    """Talk about the connection is told by its words, and says nothing of how a run stands."""
    frame, role = CONTROL[number]
    found = message(frame)
    assert found.role == role
    assert (found.status, found.rows, found.fraction) == (None, None, None)


def test_a_ready_that_comes_with_the_state():
    """Whoever subscribes may be told at once how the run stands, where the run is named."""
    found = told({"type": "subscribed", "data": {"run_id": "r1", "status": "running", "rows": 3}})
    assert (found["role"], found["run"], found["rows"]) == ("ready", "r1", 3.0)


@pytest.mark.parametrize(
    ("value", "run"),
    [("r1", "r1"), (7, "7"), (True, None), (1.5, None), ({}, None), ([], None), ("", None),
     (10**400, None)],
)  # fmt: skip
def test_ids(value, run):
    """Text and whole numbers are ids."""
    assert message({"run_id": value, "rows": 1}).run == run


@pytest.mark.parametrize("step", ["\x00", "\ud800", "a\nb", "x" * 5000])
def test_a_step_with_a_bad_name(step):
    """It can't be stored as it is, and still nothing of it is the run's."""
    found = message({"run_id": "r1", "step_id": step, "status": "completed"})
    assert found.step is not None
    assert 0 < len(found.step) <= 200
    assert found.step.isprintable()


def test_words_that_can_be_logged():
    """Kinds and states are cut and cleaned, codes left out."""
    found = message({"type": "\x1b[31m" + "k" * 999, "status": "s\x00" + "t" * 999, "code": "\x00"})
    assert (found.kind, found.status, found.code) == ("[31m" + "k" * 59, "s" + "t" * 62, None)


def test_times():
    """A time without a zone is one of the zone that is given; an elapsed time is none."""
    auckland = ZoneInfo("Pacific/Auckland")
    assert message({"timestamp": "2026-11-21T01:00:00"}, zone=auckland).at == NOON
    assert message({"time": 12.5, "ts": NOON}).at == NOON
    assert message({"time": 12.5}).at is None
    assert message({"timestamp": NOON, "updated_at": NOON + 5}).at == NOON
    assert message({"timestamp": NOON, "data": {"ts": NOON + 5}}).at == NOON + 5


@pytest.mark.parametrize(
    ("frame", "seconds"),
    [
        ({"error": {"code": "rate_limited", "retry_after": 7}}, 7.0),
        ({"type": "error", "retryAfter": "30"}, 30.0),
        ({"type": "error", "retry_after": -1}, None),
        ({"type": "error", "retry_after": 1e14}, 2.0**31),
    ],
)
def test_waits(frame, seconds):
    """What a server asks for is told, in seconds that a calendar can hold."""
    assert message(frame).retry_after == seconds


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("run.completed", "completed"),
        ("runCompleted", "completed"),
        ("SYNC_FAILED", "failed"),
        ("pipeline.partially_failed", "partially_failed"),
        ("run.timed_out", "timed_out"),
        ("started", "started"),
        ("done", "done"),
        ("run.finished", "finished"),
        ("completed.things", None),
        ("file_completed", None),
        ("run", None),
        ("12", None),
        ("…", None),
    ],
)
def test_states_in_kinds(kind, status):
    """The end of a kind tells a state where it is about a run, and only there."""
    assert told_by(kind).status == status
    assert status in (None, "done", "finished") or outcome(status) != "unknown"
