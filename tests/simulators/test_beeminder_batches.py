"""create_all, and the ways in which it may tell what went wrong."""

import json

import pytest

from simulators.beeminder_shapes import BatchShape

POINTS = "me/goals/energy/datapoints"
BATCH = [
    {"value": 1, "requestid": "old", "daystamp": "20231110"},
    {"value": 2, "requestid": "new"},
    {"value": "x", "requestid": "bad"},
]
REASON = {"value": ["is not a number"]}


@pytest.fixture
def state(beeminder):
    return beeminder.state


@pytest.fixture
def post(api, state):
    """Sends the batch to a goal where its first point stands already."""
    api("POST", POINTS, **BATCH[0])

    def posted(status=200, batch=BATCH, **shape):
        state.batch_shape = BatchShape(**shape)
        return api("POST", f"{POINTS}/create_all", status, datapoints=json.dumps(batch))

    return posted


@pytest.mark.parametrize(
    ("told", "errors"),
    [
        ("reasons", ["Duplicate request", REASON]),
        (
            "objects",
            [
                {"requestid": "old", "errors": "Duplicate request"},
                {"requestid": "bad", "errors": REASON},
            ],
        ),
        ("mapping", {"old": "Duplicate request", "bad": REASON}),
        (
            "nested",
            [
                {"datapoint": BATCH[0], "error": "Duplicate request"},
                {"datapoint": BATCH[2], "error": REASON},
            ],
        ),
    ],
)
def test_errors_are_told_as_asked_for(post, told, errors):
    """In each of the ways that a client may have to understand."""
    answer = post(errors=told)
    assert answer["errors"] == errors
    assert [(point["requestid"], point["status"]) for point in answer["successes"]] == [
        ("new", "created")
    ]


def test_an_error_may_look_like_the_point_that_stands(post, state):
    """With its id and requestid, and only a message says that it is none."""
    answer = post(errors="shown")
    (old,) = (p for p in state.datapoints("alice", "energy") if p.requestid == "old")
    assert answer["errors"][0] == {**BATCH[0], "id": old.id, "message": "Duplicate request"}


@pytest.mark.parametrize(
    ("resend", "shown"),
    [
        ("error", {"new": "created"}),
        ("duplicate", {"old": "duplicate", "new": "created"}),
        ("silent", {"old": None, "new": "created"}),
        ("omitted", {"new": "created"}),
    ],
)
@pytest.mark.parametrize("status", [200, 207, 422])
def test_an_identical_resend_is_told_as_asked_for(post, state, resend, shown, status):
    """As an error, as a success with or without a status, or not at all; it changes nothing."""
    state.partial_status = status
    answer = post(status, resend=resend)
    named = {point["requestid"]: point.get("status") for point in answer["successes"]}
    assert named == shown
    assert state.write_counts("alice", "energy")["old"] == {"created": 1, "duplicate": 1}
    assert len(state.datapoints("alice", "energy")) == 2


def test_everything_may_come_in_one_list(post):
    """In the order in which it was sent, points nested or not."""
    answer = post(container="list", successes="nested", errors="objects")
    assert [element.get("requestid") for element in answer] == ["old", None, "bad"]
    assert answer[1]["datapoint"]["requestid"] == "new"
    assert answer[1]["status"] == "created"


def test_one_error_may_refuse_the_whole(post, state):
    """Then nothing of the batch is stored, and nothing of it is in the history."""
    happened = list(state.history)
    answer = post(422, whole=True)
    assert answer == {"errors": ["Duplicate request", REASON]}
    assert [point.requestid for point in state.datapoints("alice", "energy")] == ["old"]
    assert state.history == happened


def test_a_batch_of_resends_may_be_all_fine(post):
    """Where a resend is no error the answer is the list of what stands."""
    (only,) = post(batch=BATCH[:1], resend="duplicate")
    assert (only["requestid"], only["status"]) == ("old", "duplicate")
    assert post(batch=BATCH[:1], resend="omitted") == []


def test_a_batch_that_is_too_big_is_a_page_with_500(client, state):
    """Nothing of it is stored, and one that is not bigger goes through."""
    state.batch_limit = 2
    path = f"/api/v1/users/{POINTS}/create_all.json"
    batch = [{"value": n, "requestid": f"r{n}"} for n in range(3)]
    sent = {"auth_token": "personal-1", "datapoints": json.dumps(batch)}
    refused = client.post(path, data=sent)
    assert (refused.status_code, refused.headers["content-type"]) == (
        500,
        "text/html; charset=utf-8",
    )
    assert not state.datapoints("alice", "energy")
    sent["datapoints"] = json.dumps(batch[:2])
    assert client.post(path, data=sent).status_code == 200


def test_every_answer_has_a_name_of_its_own(client):
    """Good or bad, as the web framework of the real one gives it."""
    path = f"/api/v1/users/{POINTS}.json"
    answers = [client.get(path, params={"auth_token": token}) for token in ("personal-1", "wrong")]
    names = [answer.headers["x-request-id"] for answer in answers]
    assert all(names)
    assert len(set(names)) == 2
