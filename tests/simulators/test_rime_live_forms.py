"""What the simulated progress socket says, in each of the forms that it might have."""

import json

import pytest

from tests.simulators.live_rime import all_of, objects

FINISHED = "Succeeded"


def told(tenant, *, moves=2):
    """All frames of the run: at its start, after each move of 20 seconds, and at its end."""
    with tenant.open() as socket:
        frames = [socket.recv(timeout=5)] if tenant.live.switches.content != "delta" else []
        if tenant.live.switches.content == "delta":
            wait(tenant)
        for _ in range(moves):
            tenant.clock.now += 20
            frames.append(socket.recv(timeout=5))
        tenant.state.finish_run(tenant.run, FINISHED, rows=900)
        rest, code = all_of(socket)
    assert code == 1000
    return frames + rest


def wait(tenant):
    """Until the newest socket has looked at its run."""
    assert tenant.last().looked.wait(5)


def test_a_snapshot_and_then_what_changes(tenant):
    """The run as the API shows it, then the parts that are new, each once, and the end."""
    messages = objects(told(tenant, moves=1))
    assert [one["type"] for one in messages] == [
        *("run.snapshot", "step.updated", "run.updated"),
        *("step.updated", "step.updated", "run.finished"),
    ]
    first, step, run, *_, last = (one["data"] for one in messages)
    assert (first["id"], first["total_rows"], len(first["steps"])) == ("r1", 0, 2)
    assert first["progress"] == 0
    assert step == {
        "run_id": "r1",
        "attempt": 1,
        "step_id": "step_1",
        "status": "running",
        "total_rows": 200,
        "elapsed_seconds": 20,
        "progress": 0.4,
    }
    assert run == {
        "run_id": "r1",
        "attempt": 1,
        "status": "running",
        "total_rows": 200,
        "steps_completed": 0,
        "steps_total": 2,
        "steps_running": 1,
        "elapsed_seconds": 20,
        "progress": 0.2,
    }
    assert (last["status"], last["total_rows"], last["steps_completed"]) == ("succeeded", 900, 2)
    assert [one["seq"] for one in messages] == [1, 2, 3, 4, 5, 6]
    assert messages[0]["id"] == "evt_000001"
    assert messages[1]["timestamp"] == "2023-11-14T22:13:40.000Z"


def test_only_what_changes(tenant):
    """What was before is never told."""
    tenant.live.switches.set(content="delta")
    assert [one["type"] for one in objects(told(tenant, moves=1))] == [
        *("step.updated", "run.updated", "step.updated", "step.updated", "run.finished"),
    ]


def test_the_whole_run_each_time(tenant):
    """With the words and times of the API's switches."""
    tenant.live.switches.set(content="full", names="camel")
    tenant.rime.unknowns.set(statuses="upper", times="epoch")
    messages = objects(told(tenant))
    assert [one["type"] for one in messages] == ["run.updated"] * 4
    assert [one["data"]["rowsExtracted"] for one in messages] == [0, 200, 400, 900]
    assert messages[-1]["data"]["state"] == "SUCCEEDED"
    assert messages[-1]["timestamp"] == 1_700_000_040.0


@pytest.mark.parametrize("form", ["array", "ndjson", "double", "socketio"])
def test_framings(tenant, form):
    """The same three messages at one look, however they are framed."""
    tenant.live.switches.set(form=form, marks="none", content="delta")
    with tenant.open() as socket:
        if form == "socketio":
            opened = socket.recv(timeout=5)
            assert opened.startswith('0{"sid":')
            assert json.loads(opened[1:])["pingInterval"] == 25000
            socket.send("40")
            assert socket.recv(timeout=5).startswith('40{"sid":')
        wait(tenant)
        tenant.clock.now += 60
        expected = ["step.updated", "step.updated", "run.updated"]
        frames = [socket.recv(timeout=5) for _ in range(1 if form in ("array", "ndjson") else 3)]
    if form == "array":
        kinds = [one["type"] for one in json.loads(frames[0])]
    elif form == "ndjson":
        assert frames[0].endswith("}\n")
        kinds = [json.loads(line)["type"] for line in frames[0].splitlines()]
    elif form == "double":
        kinds = [json.loads(json.loads(frame))["type"] for frame in frames]
    else:
        assert all(frame.startswith('42["') for frame in frames)
        events = [json.loads(frame[2:]) for frame in frames]
        kinds = [event[0] for event in events]
        assert events[0][1]["data"]["run_id"] == "r1"
    assert kinds == expected


def test_socketio_with_namespaces_acknowledgements_and_its_older_version(tenant):
    """`42/live,1[…]`; in version 3 the server connects unasked and the client pings."""
    tenant.live.switches.set(form="socketio", namespace="/live", acks=True, auth="first_message")
    with tenant.open(headers={}) as socket:
        socket.recv(timeout=5)
        socket.send('40/live,{"token":"key-1"}')
        assert socket.recv(timeout=5).startswith('40/live,{"sid":')
        assert socket.recv(timeout=5).startswith('42/live,1["run.snapshot",')
    with tenant.open(headers={}) as socket:
        socket.recv(timeout=5)
        socket.send("40/live,{}")
        assert all_of(socket)[1] == 4401
    tenant.live.switches.set(engine=3, namespace="", auth="header", acks=False, ping_every=0.001)
    with tenant.open() as socket:
        assert socket.recv(timeout=5)[0] == "0"
        assert socket.recv(timeout=5) == "40"
        assert socket.recv(timeout=5).startswith('42["run.snapshot",')
        socket.send("2probe")
        assert socket.recv(timeout=5) == "3probe"


def test_socketio_without_its_handshake(tenant):
    """Whoever does not connect first is dropped."""
    tenant.live.switches.set(form="socketio")
    with tenant.open() as socket:
        socket.recv(timeout=5)
        socket.send('{"type":"subscribe"}')
        assert all_of(socket) == ([], None)


@pytest.mark.parametrize(
    ("envelope", "kind", "body"),
    [
        ("type.data", "type", "data"),
        ("event.payload", "event", "payload"),
        ("event_type.body", "event_type", "body"),
        ("kind.message", "kind", "message"),
        ("action.data", "action", "data"),
        ("topic.payload", "topic", "payload"),
        ("op.body", "op", "body"),
        ("type", "type", None),
        ("none", None, None),
    ],
)
def test_envelopes(tenant, envelope, kind, body):
    """Kind and body under their keys; the body as a text where that is switched on."""
    tenant.live.switches.set(envelope=envelope, marks="none", body_text=True)
    with tenant.open() as socket:
        message = json.loads(socket.recv(timeout=5))
    if kind is not None:
        assert message.pop(kind) == "run.snapshot"
    if body is not None:
        assert message.keys() == {body}
        message = json.loads(message[body])
    assert (message["id"], message["status"]) == ("r1", "running")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("snake", {"run_id": "r1", "attempt": 1, "step_id": "step_1", "total_rows": 200}),
        ("camel", {"runId": "r1", "attemptNumber": 1, "stepId": "step_1", "rowsExtracted": 200}),
        ("short", {"uuid": "r1", "try": 1, "step": {"id": "step_1", "name": "a"}}),
        ("node", {"id": "r1", "attempt_number": 1, "node": "step_1", "rows": 200}),
    ],
)
def test_names(tenant, names, expected):
    """The fields of a step."""
    tenant.live.switches.set(names=names)
    message = objects(told(tenant, moves=1))[1]["data"]
    assert expected.items() <= message.items()


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        ("fraction", {"progress": 0.4}),
        ("percent", {"percent": 40}),
        ("hundred", {"progress": 40}),
        ("value", {"progress": {"value": 200, "max": 500}}),
        ("current", {"progress": {"current": 200, "total": 500}}),
        ("completed", {"progress": {"completed": 200, "total": 500}}),
        ("rows", {}),
    ],
)
def test_progress(tenant, progress, expected):
    """How far a step is, in each spelling."""
    tenant.live.switches.set(progress=progress)
    message = objects(told(tenant, moves=1))[1]["data"]
    assert {key: message[key] for key in ("progress", "percent") if key in message} == expected


def test_a_run_without_a_plan_counts_its_steps(tenant):
    """By hand: what is done of how many."""
    run = tenant.state.start_run("orders", id="r2", steps=("a", "b"))
    with tenant.open("r2") as socket:
        assert json.loads(socket.recv(timeout=5))["data"]["progress"] == 0
        with tenant.state.lock:
            run.steps[0].state = "Succeeded"
        step, whole = (json.loads(socket.recv(timeout=5))["data"] for _ in range(2))
    assert "progress" not in step
    assert (whole["progress"], whole["steps_completed"], whole["steps_running"]) == (0.5, 1, 0)


def test_another_attempt(tenant):
    """It counts from nothing again."""
    tenant.live.switches.set(ending="stay")
    with tenant.open() as socket:
        socket.recv(timeout=5)
        tenant.state.finish_run(tenant.run, "Failed", rows=7)
        ended = [json.loads(socket.recv(timeout=5)) for _ in range(3)][-1]
        assert (ended["type"], ended["data"]["status"]) == ("run.finished", "failed")
        tenant.state.retry_run(tenant.run)
        again = [json.loads(socket.recv(timeout=5)) for _ in range(3)][-1]["data"]
        assert (again["attempt"], again["status"], again["total_rows"]) == (2, "running", 0)
