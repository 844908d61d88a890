"""Autofetch: stored, held, and answered 200 only when the data is on the goal."""

import httpx
import pytest

from db import opening
from db.models import Feed, Goal, Source, User
from db.models_limits import Quota
from db.states import EventState

PATH = "/beeminder/autofetch/path-secret-1"
NO_SUCH_FEED = {"code": "no_such_feed", "message": "this goal is not linked"}
FAILED = {"code": "source_down", "message": "the source does not answer"}


def test_no_200_before_the_event_has_ended(serve):
    """A callback is held as long as its event is not over, and then told how many points."""
    serving = serve(hold_seconds=20)

    answer = serving.later(serving.autofetch)
    event = serving.stored()[0]
    for _ in range(20):
        serving.client.get("/healthz")
    early = answer.done()
    serving.finish(event.id, datapoints=3)

    assert not early
    assert answer.result().status_code == 200
    assert answer.result().json() == {"status": "fresh", "datapoints": 3}


def test_one_end_answers_one_callback(serve):
    """The end of somebody else's event answers nobody but them."""
    serving = serve(hold_seconds=1.5)

    first = serving.later(serving.autofetch, slug="one")
    event = serving.stored()[0]
    second = serving.later(serving.autofetch, slug="two")
    serving.stored(2)
    serving.finish(event.id, datapoints=1)

    assert first.result().json() == {"status": "fresh", "datapoints": 1}
    assert second.result().json() == {"status": "late"}


def test_stored_before_answered(serving):
    """With no hold the answer is 503 late, and the row is on disk by then."""
    response = serving.autofetch(" Alice ", "Energy")

    assert response.status_code == 503
    assert response.json() == {"status": "late"}
    assert int(response.headers["Retry-After"]) > 0
    [event] = serving.events()
    assert (event.kind, event.state) == ("autofetch", EventState.RECEIVED)
    assert event.payload == {"username": "alice", "slug": "energy"}
    assert event.received_at == event.due_at == serving.clock.now()


def test_unknown_feed_is_404(serve):
    """A goal that nobody linked is told apart from a failure."""
    serving = serve(hold_seconds=20)

    answer = serving.later(serving.autofetch)
    serving.finish(serving.stored()[0].id, error=NO_SUCH_FEED)

    assert answer.result().status_code == 404
    assert answer.result().json() == {"error": NO_SUCH_FEED}


@pytest.mark.parametrize("dead", [False, True])
def test_failure_says_why(serve, dead):
    """A failed sync is answered with the status of the settings, the reason, and Retry-After."""
    serving = serve(hold_seconds=20, failed_status=500)

    answer = serving.later(serving.autofetch)
    serving.finish(serving.stored()[0].id, error=FAILED, dead=dead)

    assert answer.result().status_code == 500
    assert answer.result().json() == {"status": "failed", "error": FAILED}
    assert int(answer.result().headers["Retry-After"]) > 0


def test_end_of_the_hold_tells_the_last_error(serve):
    """Not over in time, but it has failed once: the caller learns why."""
    serving = serve(hold_seconds=1.0)

    answer = serving.later(serving.autofetch)
    event = serving.stored()[0]
    with serving.ledger.write() as session:
        event.error = FAILED
        session.add(event)

    assert answer.result().status_code == 503
    assert answer.result().json() == {"status": "failed", "error": FAILED}


@pytest.mark.parametrize(("opens_in", "retry_after"), [(40.3, 41), (1.0, 5), (86400.0, 3600)])
def test_late_because_of_a_limit_says_when_to_ask_again(serve, opens_in, retry_after):
    """No sooner than makes sense; it is `late` like any other, and fails with no older error."""
    serving = serve(hold_seconds=1.0)
    now = serving.clock.now()
    with serving.ledger.write() as session:
        session.add(User(id=1, username="alice"))
        session.flush()
        session.add(Source(id=1, user_id=1, name="plant", provider="p", quota_key="p:canary"))
        session.add(Goal(id=1, user_id=1, slug="energy", declared_slug="energy"))
        session.add(Quota(key="p:canary", vendor="p", closed_until=now + opens_in))
        session.flush()
        session.add(Feed(goal_id=1, source_id=1, metric="m", last_error="an older one"))

    answer = serving.later(serving.autofetch)
    serving.stored()
    with serving.ledger.write() as session:
        opening.open_callbacks(session, now)
    answered = answer.result()

    assert (answered.status_code, answered.json()) == (503, {"status": "late"})
    assert answered.headers["Retry-After"] == str(retry_after)


def test_failed_status_is_for_late_answers_too(serve):
    """Whenever the data is not on the goal the status is the one of the settings."""
    assert serve(failed_status=502).autofetch().status_code == 502


@pytest.mark.parametrize(
    "request_options",
    [
        {"data": {"username": "Alice", "slug": "energy"}},
        {"json": {"username": "Alice", "slug": "energy", "else": [1, {}]}},
        {"params": {"username": "Alice", "slug": "energy"}},
        {"params": {"username": "Alice"}, "data": {"slug": "energy"}},
        {"content": b"username=alice&slug=energy"},
        {"content": b' {"username": "alice", "slug": "energy"}'},
        {
            "content": b'{"username": "alice", "slug": "energy"}',
            "headers": {"Content-Type": 'Application/JSON; charset="UTF-8"'},
        },
        {
            "params": {"username": "alice", "slug": "energy"},
            "headers": {"Content-Type": "application/json"},
        },
    ],
)
def test_form_json_and_query(serving, request_options):
    """Beeminder does not say how it encodes: each way is read alike."""
    response = serving.client.post(PATH, **request_options)

    assert response.json() == {"status": "late"}
    assert serving.events()[0].payload == {"username": "alice", "slug": "energy"}


@pytest.mark.parametrize(
    ("request_options", "field"),
    [
        ({}, "username"),
        ({"data": {"username": "alice"}}, "slug"),
        ({"data": {"username": "alice", "slug": " "}}, "slug"),
        ({"data": {"username": "a" * 101, "slug": "x"}}, "username"),
        ({"data": {"username": "alice", "slug": "a\0b"}}, "slug"),
        ({"data": {"username": "alice", "slug": "a\r\nb"}}, "slug"),
        ({"json": {"username": 7, "slug": "x"}}, "username"),
        ({"json": {"username": ["alice"], "slug": "x"}}, "username"),
        ({"json": {"username": None, "slug": "x"}}, "username"),
        ({"content": rb'{"username": "\ud800", "slug": "x"}'}, "username"),
        ({"json": ["alice", "x"]}, None),
        ({"content": b"username=%ff&slug=x"}, None),
        ({"content": b"\xff\xfe"}, None),
        ({"content": b"username=a&username=b&slug=x"}, None),
        ({"content": b"{" * 30_000}, None),
        ({"content": b'{"a":' * 10_000}, None),
        ({"content": b'{"username": "a", "slug": "b"'}, None),
        ({"content": b'{"username": NaN, "slug": "b"}'}, None),
        ({"content": b'{"a": ' + b"9" * 60_000 + b"}"}, None),
        ({"content": b"a&" * 5_000}, None),
    ],
)
def test_malformed_is_400_and_costs_nothing(serving, request_options, field):
    """Bad input is named, stored nowhere, and rings no bell."""
    response = serving.client.post(PATH, **request_options)

    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "malformed"
    assert error.get("details") == ({"field": field} if field else None)
    assert serving.events() == []
    assert serving.bell.rung == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/xml; charset=utf-8"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_foreign_content_is_415(serving, headers):
    """A declared type that we do not read is refused, whatever the body is."""
    response = serving.client.post(
        PATH, content=b'{"username": "alice", "slug": "x"}', headers=headers
    )

    assert response.status_code == 415
    assert response.json()["error"]["code"] == "unsupported_media_type"
    assert serving.events() == []


def _shown(response: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    changing = ("date", "x-request-id")
    headers = [item for item in response.headers.multi_items() if item[0] not in changing]
    return response.status_code, response.content, headers


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize("kind", ["autofetch", "deauthorized", "reminder"])
def test_wrong_secret_looks_like_nothing(serving, accept, kind):
    """Nobody can tell a wrong secret from a path that does not exist."""
    data = {"username": "alice", "slug": "energy", "access_token": "t"}
    headers = {"Accept": accept}
    wrong = serving.client.post(f"/beeminder/{kind}/wrong", data=data, headers=headers)
    nothing = serving.client.post("/beeminder/nothing/wrong", data=data, headers=headers)

    assert _shown(wrong) == _shown(nothing)
    assert wrong.status_code == 404
    assert serving.events() == []


def test_every_secret_of_a_rotation_is_accepted(serving):
    """The old secret works until it is taken out of the settings."""
    data = {"username": "alice", "slug": "energy"}
    response = serving.client.post("/beeminder/autofetch/path-secret-2", data=data)

    assert response.json() == {"status": "late"}


def test_other_methods_are_405_with_the_envelope(serving):
    """A GET to a callback is refused in the shape of every error."""
    response = serving.client.get(PATH)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_database_that_fails_is_503_not_stored(serving):
    """What could not be committed is never answered with a 2xx."""
    with serving.ledger.write() as session:
        session.connection().exec_driver_sql("DROP TABLE cover")
        session.connection().exec_driver_sql("DROP TABLE event")

    response = serving.autofetch()

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "not_stored"
    assert int(response.headers["Retry-After"]) > 0
    assert serving.bell.rung == []
