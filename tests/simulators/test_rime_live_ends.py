"""How the simulated progress socket is disturbed, and how it ends."""

import json

import pytest

from tests.simulators.live_rime import all_of, objects


def finished(tenant, run="r1"):
    """All frames of a run that ends after three moves, and the close code."""
    with tenant.open(run) as socket:
        assert tenant.last().looked.wait(5)
        tenant.clock.now += 20
        frames = [socket.recv(timeout=5) for _ in range(3)]
        tenant.state.finish_run(tenant.run)
        rest, code = all_of(socket)
    return frames + rest, code


def ended(tenant):
    """All frames of a run that ends after the first look: four messages, and the close code."""
    with tenant.open() as socket:
        assert tenant.last().looked.wait(5)
        tenant.state.finish_run(tenant.run)
        return all_of(socket)


@pytest.mark.parametrize(
    ("ending", "code", "expected"),
    [("close", 1000, 1000), ("close", 1001, 1001), ("close", 4000, 4000), ("drop", 0, None)],
)
@pytest.mark.parametrize("tells", [True, False])
def test_the_end_of_the_run(tenant, ending, code, expected, tells):
    """With a last message or without one, with a close frame or without one."""
    tenant.live.switches.set(ending=ending, end_code=code, tells_end=tells)
    frames, found = finished(tenant)
    assert found == expected
    assert [one["type"] for one in objects(frames)][-1] == (
        "run.finished" if tells else "step.updated"
    )


@pytest.mark.parametrize("code", [0, 1000, 1001, 1008, 1009, 1011, 1012, 1013, 4401])
def test_breaks_in_the_middle(tenant, code):
    """After so many messages, on so many sockets; then it is served to its end."""
    tenant.live.switches.set(break_after=2, break_code=code, breaks=1)
    with tenant.open() as socket:
        assert tenant.last().looked.wait(5)
        tenant.clock.now += 20
        frames, found = all_of(socket)
    assert (len(frames), found) == (2, code or None)
    assert tenant.last().ended_with == code
    assert finished(tenant)[1] == 1000


def test_all_that_is_open_is_ended_at_once(tenant):
    """As a restart does it; what comes later is served."""
    with tenant.open() as first, tenant.open() as second:
        assert first.recv(timeout=5)
        assert second.recv(timeout=5)
        assert tenant.live.end(1012) == 2
        assert [all_of(first)[1], all_of(second)[1]] == [1012, 1012]
    with tenant.open() as third:
        assert third.recv(timeout=5)
        assert tenant.live.end() == 1
        assert all_of(third) == ([], None)
    tenant.live.forget()
    assert tenant.live.sockets == []


def test_a_plan_ends_its_run_by_the_clock(tenant):
    """The clock is an argument: a hundred seconds of it are over at once."""
    with tenant.open() as socket:
        assert tenant.last().looked.wait(5)
        tenant.clock.now += 100
        frames, code = all_of(socket)
    last = json.loads(frames[-1])["data"]
    assert (last["status"], last["total_rows"], last["progress"], code) == (
        *("completed", 1000, 1.0),
        1000,
    )


@pytest.mark.parametrize(
    ("gone", "content", "kinds", "code"),
    [
        ("told", "snapshot", ["run.snapshot"], 1000),
        ("told", "full", ["run.updated"], 1000),
        ("told", "delta", [], 1000),
        ("close", "snapshot", [], 1000),
    ],
)
def test_a_run_that_ended_while_nobody_was_there(tenant, gone, content, kinds, code):
    """It is told as it is now, or not at all; deltas can say nothing of it."""
    tenant.state.finish_run(tenant.run, rows=12)
    tenant.live.switches.set(gone=gone, content=content)
    with tenant.open() as socket:
        frames, found = all_of(socket)
    assert ([one["type"] for one in objects(frames)], found) == (kinds, code)


@pytest.mark.parametrize("switches", [{"silent": True}, {"gone": "silent"}])
def test_a_silent_peer(tenant, switches):
    """Open, and not a word; pings of the protocol are answered all the same."""
    tenant.state.finish_run(tenant.run)
    tenant.live.switches.set(ping_every=0.001, **switches)
    with tenant.open() as socket:
        assert socket.ping().wait(5)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.05)
        assert tenant.last().is_open


def test_noise(tenant):
    """Binary frames, kinds that nobody knows, texts that are no JSON, and runs of others."""
    tenant.live.switches.set(strange=1, binary=1, garbage=1, others=1, huge=2000)
    frames, code = ended(tenant)
    texts = [frame for frame in frames if isinstance(frame, str)]
    assert code == 1000
    assert len(frames) - len(texts) == 4
    assert "hello" in texts
    good = [json.loads(text) for text in texts if text.startswith('{"type": ')]
    kinds = [one["type"] for one in good]
    assert kinds.count("queue.rebalanced") == 4
    assert [one["data"]["run_id"] for one in good if one["type"] == "run.finished"] == [
        *["run_of_another"] * 4,
        "r1",
    ]
    assert [len(text) > 2000 for text in texts].count(True) == 1


def test_duplicates_and_disorder(tenant):
    """Each message twice, in pairs that are swapped: the numbers tell."""
    tenant.live.switches.set(duplicates=1, swapped=True)
    frames, _ = ended(tenant)
    assert [one["seq"] for one in objects(frames)] == [1, 1, 2, 2, 3, 3, 4, 4]
    tenant.state.retry_run(tenant.run)
    tenant.live.switches.set(duplicates=0, marks="seq")
    messages = objects(ended(tenant)[0])
    assert [one["seq"] for one in messages] == [2, 1, 4, 3]
    assert messages[0].keys() == {"type", "data", "seq"}


@pytest.mark.parametrize(
    ("expiry", "kinds", "code"),
    [
        ("close", [], 4401),
        (
            "message",
            [{"code": "unauthorized", "message": "Missing, expired or invalid token"}],
            4401,
        ),
        ("drop", [], None),
    ],
)
def test_a_token_that_ends_during_the_connection(tenant, expiry, kinds, code):
    """By the tenant's clock; a token that is good goes on."""
    tenant.live.switches.set(expiry=expiry)
    person = tenant.state.add_person("a@example.org", "pw")
    token = tenant.rime.tokens.issue(person, refresh=False)["access_token"]
    run = tenant.state.start_run("orders", id="r2")
    with (
        tenant.open(run.id, headers={"Authorization": f"Bearer {token}"}) as socket,
        tenant.open(run.id) as other,
    ):
        socket.recv(timeout=5)
        tenant.clock.now += 3600
        frames, found = all_of(socket)
        assert ([one["error"] for one in objects(frames)], found) == (kinds, code)
        tenant.live.switches.set(expiry="ignore")
        tenant.rime.tokens.revoke("key")
        other.recv(timeout=5)
        with tenant.state.lock:
            run.rows = 5
        assert json.loads(other.recv(timeout=5))["data"]["total_rows"] == 5


def test_the_longest_connection(tenant):
    """1001 after two hours, whatever the run does."""
    tenant.live.switches.set(longest=7200.0)
    run = tenant.state.start_run("orders", id="r2")
    with tenant.open(run.id) as socket:
        socket.recv(timeout=5)
        tenant.clock.now += 7200
        assert all_of(socket) == ([], 1001)


@pytest.mark.parametrize(
    ("switches", "ping", "pong"),
    [
        (
            {},
            {"type": "ping", "id": 1, "timestamp": "2023-11-14T22:13:20.000Z"},
            '{"type": "pong", "id": 1}',
        ),
        (
            {"ping": "pusher:ping"},
            {"event": "pusher:ping", "data": "{}"},
            '{"event":"pusher:pong"}',
        ),
        ({"form": "socketio"}, 2, "3"),
    ],
)
def test_pings_that_want_an_answer(tenant, switches, ping, pong):
    """Who answers is asked again; who does not is closed, with Socket.IO without a frame."""
    tenant.live.switches.set(ping_every=0.001, content="delta", **switches)
    with tenant.open() as socket:
        if "form" in switches:
            socket.send("40")
            socket.recv(timeout=5)
            socket.recv(timeout=5)
        assert json.loads(socket.recv(timeout=5)) == ping
        socket.send(pong)
        socket.recv(timeout=5)
        assert tenant.last().pongs == 1
        tenant.live.switches.set(pong_within=0.01)
        assert all_of(socket)[1] == (None if "form" in switches else 1008)


def test_a_client_that_goes(tenant):
    """The code with which it closed is remembered, and that it is gone."""
    with tenant.open() as socket:
        socket.recv(timeout=5)
        socket.close(code=4321)
    assert (tenant.last().code, tenant.live.open) == (4321, [])
