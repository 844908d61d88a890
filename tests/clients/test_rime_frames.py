"""Frames of a socket in every wrapping, and what is answered at once."""

import json
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clients.rime_frames import MOST_MESSAGES, MOST_REPLIES, read
from clients.rime_messages_fields import _NAMES
from clients.rime_messages_kinds import NAMES
from clients.rime_messages_progress import CONTENT

RUN = {"type": "run.updated", "data": {"run_id": "r1", "status": "running", "rows": 5}}
STEP = {"type": "step", "run_id": "r1", "step_id": "s1", "status": "failed"}

KEYS = st.sampled_from(
    sorted({*CONTENT, *NAMES, *(name for names in _NAMES.values() for name in names)})
) | st.sampled_from(["data", "payload", "body", "message", "value", "current", "id", "name"])
WORDS = st.sampled_from(
    ["ping", "pusher:ping", "auth_ok", "error", "run.completed", "step", "running", "completed",
     "unauthorized", "2026-11-20T12:00:00Z", "r1", '{"status":"failed"}', "[1]", "{", "event"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS | st.text(max_size=4), VALUES, max_size=6)
# What a frame can be made of; pieces of JSON and of packets in any order.
TEXTS = st.text(max_size=60) | st.text(string.digits + '[]{}",:/-\\\n tfnu', max_size=60)


def many(objects):
    return json.dumps(objects)


WRAPPINGS = {
    "an array": (many, "json"),
    "lines": (lambda objects: "\n".join(json.dumps(one) for one in objects), "json"),
    "lines of other systems": (
        lambda objects: "\r\n\r\n".join(json.dumps(one) for one in objects) + "\r\n",
        "json",
    ),
    "written for people": (lambda objects: json.dumps(objects, indent=2), "json"),
    "an array in a text": (lambda objects: json.dumps(many(objects)), "json"),
    "texts in an array": (lambda objects: many([json.dumps(one) for one in objects]), "json"),
    "Socket.IO": (lambda objects: f"42{many(['message', *objects])}", "socketio"),
    "Socket.IO with a namespace": (
        lambda objects: f"42/runs,17{many(['message', *objects])}",
        "socketio",
    ),
    "Socket.IO with texts": (
        lambda objects: f"42{many(['message', *(json.dumps(one) for one in objects)])}",
        "socketio",
    ),
    "Socket.IO, left out": (many, "socketio"),
}


@given(objects=st.lists(OBJECTS, min_size=1, max_size=4))
@example(objects=[RUN, STEP])
@example(objects=[{"type": "ping", "id": 1}])
@example(objects=[{}])
def test_every_wrapping_gives_the_same(objects):
    """It is all one how messages are packed: nothing is lost, and nothing is added."""
    expected = [read(json.dumps(one)).messages[0] for one in objects]

    for name, (wrapped, framing) in WRAPPINGS.items():
        found = read(wrapped(objects), framing=framing)
        assert (list(found.messages), found.ignored) == (expected, 0), name


@given(text=TEXTS, framing=st.sampled_from(["json", "socketio"]))
@example(text="[" * 100_000, framing="json")
@example(text='{"data":' * 100_000, framing="json")
@example(text='{"data":' * 500 + "1" + "}" * 500, framing="json")
@example(text="[" * 5000 + "\n{}", framing="json")
@example(text='42["x",' + "[" * 100_000, framing="socketio")
@example(text="42" + "9" * 100, framing="socketio")
@example(text="9" * 5000, framing="json")
@example(text='"\\ud800"', framing="json")
@example(text="\ud800\x00", framing="json")
@example(text="44", framing="socketio")
@example(text="44[1]", framing="socketio")
@example(text="4", framing="socketio")
@example(text="", framing="socketio")
def test_no_text_raises(text, framing):
    """Whatever comes, reading goes on."""
    found = read(text, framing=framing)
    assert found.ignored >= 0
    assert all(isinstance(reply, str) for reply in found.replies)


@given(value=VALUES, framing=st.sampled_from(["json", "socketio"]))
@example(value={"type": "ping", "id": float("nan")}, framing="json")
@example(value={"retry": 1e14, "attempt": 10**400}, framing="json")
@example(value={"steps": [{"status": {}}, 1], "progress": []}, framing="json")
def test_no_json_raises(value, framing):
    """Nor does any JSON, in whatever wrapping; what is told is in its bounds."""
    for text in (json.dumps(value), many([value, value]), json.dumps(json.dumps(value))):
        for packed in (text, f"42{text}", f'42["x",{text}]'):
            for found in read(packed, framing=framing).messages:
                assert found.fraction is None or 0 <= found.fraction <= 1
                assert found.rows is None or 0 <= found.rows < 1e15
                assert found.attempt is None or found.attempt >= 0
                assert found.kind.isprintable()


@pytest.mark.parametrize(
    ("text", "count", "ignored"),
    [
        ("", 0, 1),
        ("ping", 0, 1),
        ("null", 0, 1),
        ("7", 0, 1),
        ("[]", 0, 0),
        ('[1, null, "x", [{}], {}]', 1, 4),
        ('{"a":1}\nnonsense\n{"b":2}\n', 2, 1),
        ('[{"a":1},{"b":2}]\n{"c":3}', 3, 0),
        (json.dumps(json.dumps(json.dumps({"a": 1}))), 0, 1),
        ('{"type":"x"', 0, 1),
    ],
)
def test_what_is_no_message(text, count, ignored):
    """It is counted, and takes nothing of its neighbours with it; texts are decoded twice."""
    found = read(text)
    assert (len(found.messages), found.ignored) == (count, ignored)


def test_at_most_so_many_messages():
    """A frame that is full of them is read to a bound, and so is what is answered."""
    pings = [{"type": "ping", "id": number} for number in range(MOST_MESSAGES + 5)]
    found = read(many(pings))
    assert (len(found.messages), found.ignored) == (MOST_MESSAGES, 5)
    assert len(found.replies) == MOST_REPLIES


@pytest.mark.parametrize(
    ("ping", "pong"),
    [
        ({"type": "ping"}, {"type": "pong"}),
        ({"type": "ping", "id": 4}, {"type": "pong", "id": 4}),
        ({"id": "a", "type": "ping", "timestamp": 1.5, "more": 1},
         {"type": "pong", "id": "a", "timestamp": 1.5}),
        ({"op": "PING", "id": None}, {"op": "PONG"}),
        ({"event": "pusher:ping", "data": {}}, {"event": "pusher:pong", "data": {}}),
        ({"type": "ping", "id": {"a": 1}}, {"type": "pong"}),
        ({"type": "ping", "id": "x" * 65}, {"type": "pong"}),
    ],
)  # fmt: skip
def test_pings_are_answered(ping, pong):
    """In the same words, with what tells pings apart; other things are not sent back."""
    assert [json.loads(reply) for reply in read(json.dumps(ping)).replies] == [pong]
    assert read(many([ping, RUN, ping])).replies == read(json.dumps(ping)).replies


@pytest.mark.parametrize(
    "frame",
    [RUN, {"type": "pong"}, {"type": "ka"}, {"type": "heartbeat"}, {"type": "shipping"},
     {"type": "auth_required"}],
)  # fmt: skip
def test_nothing_else_is_answered(frame):
    """Whoever answers what was no question may be thrown out."""
    assert read(json.dumps(frame)).replies == ()


PACKETS = {
    '0{"sid":"x","pingInterval":25000}': ("engine.open", "other", None, ()),
    "1": ("engine.close", "other", None, ()),
    "2": ("engine.ping", "ping", None, ("3",)),
    "2probe": ("engine.ping", "ping", None, ("3probe",)),
    "3": ("engine.pong", "other", None, ()),
    "6": ("engine.noop", "other", None, ()),
    '40{"sid":"y"}': ("socket.connect", "ready", None, ()),
    '40/runs,{"sid":"y"}': ("socket.connect", "ready", None, ()),
    "41": ("socket.disconnect", "error", "disconnect", ()),
    "41/runs,": ("socket.disconnect", "error", "disconnect", ()),
    '44{"message":"Unauthorized"}': ("socket.refused", "refused", "unauthorized", ()),
    '44/runs,{"message":"who are you?"}': ("socket.refused", "refused", None, ()),
    '44{"message":"Invalid namespace"}': ("socket.refused", "error", "invalid_namespace", ()),
    '44"unauthorized"': ("socket.refused", "refused", "unauthorized", ()),
    "4312[]": ("socket.ack", "other", None, ()),
    '42["ping",{"id":7}]': ("ping", "ping", None, ('42["pong", {"id": 7}]',)),
    '42["ping"]': ("ping", "ping", None, ('42["pong"]',)),
    '42/a,["message",{"type":"ping"}]': (
        *("ping", "ping", None, ('42/a,["message", {"type": "pong"}]',)),
    ),
    '42["ready"]': ("ready", "ready", None, ()),
    '42["run.completed",{"run_id":"r1"}]': ("run.completed", "progress", None, ()),
    '451-["run",{"status":"running","x":{"_placeholder":true,"num":0}}]': (
        *("run", "progress", None, ()),
    ),
}


@pytest.mark.parametrize("text", PACKETS)
def test_packets(text):
    """Packets of Socket.IO by the page of its protocol; an event's name is the kind."""
    found = read(text, framing="socketio")
    (one,) = found.messages
    assert (one.kind, one.role, one.code, found.replies) == PACKETS[text]


@pytest.mark.parametrize("text", ["42", "42{}", "42[]", "42[1]", "47", "bAQID", "x", "42[", "8"])
def test_what_is_no_packet(text):
    """It is ignored, and so is a packet where none was to be expected."""
    found = read(text, framing="socketio")
    assert (found.messages, found.replies, found.ignored) == ((), (), 1)
    assert read(text).messages == ()


@pytest.mark.parametrize("text", [text for text in PACKETS if text])
def test_packets_only_where_the_file_says_so(text):
    """A number at the beginning means nothing by itself."""
    found = read(text)
    assert (found.messages, found.replies) == ((), ())
