"""Datapoints of the simulated Beeminder behave as its page tells."""

import json

import pytest

from simulators.beeminder_shapes import BatchShape

POINTS = "me/goals/energy/datapoints"


def test_a_point_is_created_with_its_status_and_echoed_requestid(api):
    """The reply to a POST carries status, requestid and an ISO created_at; a GET has no status."""
    made = api("POST", POINTS, value="3", requestid="r-1", daystamp="20231110", comment="c")
    assert made["status"] == "created"
    assert (made["requestid"], made["value"], made["comment"]) == ("r-1", 3.0, "c")
    assert made["created_at"] == "2023-11-14T22:13:20.000Z"
    listed = api("GET", POINTS)
    assert [point["id"] for point in listed] == [made["id"]]
    assert "status" not in listed[0]


def test_the_same_requestid_with_another_value_updates_in_place(api, clock):
    """Id and timestamp stay, the value and updated_at move, status says updated."""
    made = api("POST", POINTS, value=3, requestid="r", timestamp=1_699_999_000)
    clock.now += 60
    changed = api("POST", POINTS, value=4, requestid="r")
    assert changed["status"] == "updated"
    assert (changed["id"], changed["timestamp"]) == (made["id"], made["timestamp"])
    assert changed["updated_at"] == made["updated_at"] + 60
    assert [point["value"] for point in api("GET", POINTS)] == [4.0]


def test_an_identical_resend_is_refused_and_changes_nothing(api, beeminder):
    """422 with the word duplicate, one point, and the refusal is counted."""
    sent = {"value": 3, "requestid": "r", "daystamp": "20231110", "comment": "c"}
    api("POST", POINTS, **sent)
    before = beeminder.state.users["alice"].changed_at
    assert api("POST", POINTS, 422, **sent) == {"errors": "Duplicate request"}
    assert len(beeminder.state.datapoints("alice", "energy")) == 1
    assert beeminder.state.users["alice"].changed_at == before
    assert beeminder.state.write_counts("alice", "energy") == {"r": {"created": 1, "duplicate": 1}}


def test_another_daystamp_moves_a_point_and_the_same_one_keeps_its_timestamp(api):
    """An update may say which day it is about; the day it is on already moves nothing."""
    made = api("POST", POINTS, value=1, requestid="r", timestamp=1_699_900_000)
    same = api("POST", POINTS, value=2, requestid="r", daystamp="20231113")
    assert same["timestamp"] == made["timestamp"]
    moved = api("POST", POINTS, value=2, requestid="r", daystamp="20231112")
    assert (moved["id"], moved["daystamp"]) == (made["id"], "20231112")


def test_the_history_of_a_renamed_goal_stays_with_it(api, beeminder):
    """Counts per requestid go on under the new slug."""
    api("POST", POINTS, value=1, requestid="r")
    beeminder.state.rename_goal("alice", "energy", "watts")
    api("POST", "me/goals/watts/datapoints", value=2, requestid="r")
    assert beeminder.state.write_counts("alice", "watts") == {"r": {"created": 1, "updated": 1}}


def test_requestids_are_per_goal_and_points_without_one_are_never_merged(api, beeminder):
    """The same requestid on another goal is another point; none at all always creates."""
    beeminder.state.add_goal("alice", "output")
    api("POST", POINTS, value=1, requestid="r")
    assert api("POST", "me/goals/output/datapoints", value=1, requestid="r")["status"] == "created"
    api("POST", POINTS, value=1)
    api("POST", POINTS, value=1)
    assert len(api("GET", POINTS)) == 3


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({}, {"value": ["can't be blank", "is not a number"]}),
        ({"value": "abc"}, {"value": ["is not a number"]}),
        ({"value": "nan"}, {"value": ["is not a number"]}),
        ({"value": 1, "daystamp": "20230230"}, {"daystamp": ["is invalid"]}),
        ({"value": 1, "timestamp": "soon"}, {"timestamp": ["is not a number"]}),
    ],
)
def test_a_bad_point_is_422_with_a_list_per_field(api, beeminder, sent, errors):
    """Nothing is stored and the field is named."""
    assert api("POST", POINTS, 422, **sent) == {"errors": errors}
    assert not beeminder.state.datapoints("alice", "energy")


@pytest.mark.parametrize(
    ("deadline", "timestamp", "daystamp"),
    [
        (0, 1_700_002_799, "20231114"),  # 23:59:59 in Paris
        (0, 1_700_002_800, "20231115"),
        (3 * 3600, 1_700_013_599, "20231114"),  # 02:59:59, the day ends at three
        (3 * 3600, 1_700_013_600, "20231115"),
        (-2 * 3600, 1_699_995_600, "20231115"),  # 22:00:00, the day ended just now
        (-2 * 3600, 1_699_995_599, "20231114"),
    ],
)
def test_a_timestamp_counts_for_the_day_of_zone_and_deadline(
    api, beeminder, deadline, timestamp, daystamp
):
    """The daystamp is the local date of the instant minus the deadline."""
    beeminder.state.goal("alice", "energy").deadline = deadline
    assert api("POST", POINTS, value=1, timestamp=timestamp)["daystamp"] == daystamp


@pytest.mark.parametrize("deadline", [0, 21_600, -61_200, 3_600])
@pytest.mark.parametrize("day", ["20231114", "20240330", "20240331", "20241026", "20241027"])
def test_a_daystamp_gets_the_last_second_before_the_deadline(api, beeminder, deadline, day):
    """The timestamp lies in that day and one second later does not, clock changes included."""
    goal = beeminder.state.goal("alice", "energy")
    goal.deadline = deadline
    made = api("POST", POINTS, value=1, daystamp=day)
    assert made["daystamp"] == day
    assert beeminder.state.daystamp(goal, made["timestamp"]) == day
    assert beeminder.state.daystamp(goal, made["timestamp"] + 1) != day


def test_the_recorded_daystamp_of_new_york_gets_the_recorded_timestamp(beeminder, api):
    """20260120 in America/New_York is 1768971599, as production answered."""
    beeminder.state.users["alice"].timezone = "America/New_York"
    assert api("POST", POINTS, value=1, daystamp="20260120")["timestamp"] == 1_768_971_599


def test_the_timestamp_wins_over_the_daystamp(api):
    """Both may be sent."""
    made = api("POST", POINTS, value=1, timestamp=1_699_900_000, daystamp="20200101")
    assert (made["timestamp"], made["daystamp"]) == (1_699_900_000, "20231113")


def test_lists_are_sorted_descending_counted_and_paged(api, clock):
    """Default by id; count is ignored when a page is asked for; 25 to a page."""
    for number in range(30):
        clock.now += 1
        api("POST", POINTS, value=number % 7, timestamp=1_699_000_000 - number)
    values = [point["value"] for point in api("GET", POINTS)]
    assert values[:3] == [29 % 7, 28 % 7, 27 % 7]
    assert len(api("GET", POINTS, count=4)) == 4
    assert api("GET", POINTS, sort="timestamp", count=1)[0]["timestamp"] == 1_699_000_000
    assert len(api("GET", POINTS, page=1, count=4)) == 25
    assert len(api("GET", POINTS, page=2)) == 5
    assert len(api("GET", POINTS, page=3, per=10)) == 10
    assert api("GET", POINTS, page=9) == []


def test_repeated_reads_are_304_until_something_changes(client, api):
    """Beeminder answers conditional reads."""
    path = f"/api/v1/users/{POINTS}.json?auth_token=personal-1"
    tag = client.get(path).headers["etag"]
    assert client.get(path, headers={"if-none-match": tag}).status_code == 304
    api("POST", POINTS, value=1)
    assert client.get(path, headers={"if-none-match": tag}).status_code == 200


def test_put_and_delete_act_on_one_point_and_404_on_others(api):
    """PUT changes what is sent, DELETE gives the point back, the second time there is none."""
    made = api("POST", POINTS, value=1, comment="before")
    changed = api("PUT", f"{POINTS}/{made['id']}", value=2)
    assert (changed["value"], changed["comment"]) == (2.0, "before")
    assert "status" not in changed
    assert api("DELETE", f"{POINTS}/{made['id']}")["id"] == made["id"]
    gone = {"error": "The requested resource was not found."}
    assert api("DELETE", f"{POINTS}/{made['id']}", 404) == gone
    assert api("PUT", f"{POINTS}/{made['id']}", 404, value=3) == gone


def test_a_batch_that_is_all_fine_is_a_list(api):
    """The field is one JSON string; every item has its status."""
    batch = [{"value": n, "requestid": f"r{n}", "daystamp": f"2023111{n}"} for n in range(3)]
    made = api("POST", f"{POINTS}/create_all", datapoints=json.dumps(batch))
    assert [(point["requestid"], point["status"]) for point in made] == [
        ("r0", "created"),
        ("r1", "created"),
        ("r2", "created"),
    ]


def test_a_batch_that_fails_in_part_names_successes_and_errors(api, beeminder):
    """What is fine is stored; a duplicate and a bad value land in errors."""
    api("POST", POINTS, value=1, requestid="old", daystamp="20231110")
    batch = [
        {"value": 1, "requestid": "old", "daystamp": "20231110"},
        {"value": 2, "requestid": "new"},
        {"value": "x", "requestid": "bad"},
    ]
    made = api("POST", f"{POINTS}/create_all", datapoints=json.dumps(batch))
    assert [point["requestid"] for point in made["successes"]] == ["new"]
    assert made["errors"] == ["Duplicate request", {"value": ["is not a number"]}]
    assert len(beeminder.state.datapoints("alice", "energy")) == 2


@pytest.mark.parametrize("sent", [{}, {"datapoints": "[oops"}, {"datapoints": "[1]"}])
def test_a_batch_that_is_no_array_of_objects_is_422(api, sent):
    """Form arrays of the Ruby kind do not arrive as an array either."""
    assert set(api("POST", f"{POINTS}/create_all", 422, **sent)) == {"errors"}


def test_a_frozen_goal_refuses_data_unless_told_otherwise(api, beeminder):
    """What the real one answers is unknown, so a test can choose."""
    beeminder.state.goal("alice", "energy").frozen = True
    assert "errors" in api("POST", POINTS, 422, value=1)
    beeminder.state.frozen_status = None
    assert api("POST", POINTS, value=1)["status"] == "created"


def test_json_bodies_and_query_parameters_work_as_forms_do(client):
    """All three kinds were seen on POST."""
    path = f"/api/v1/users/{POINTS}.json"
    as_json = client.post(path, json={"auth_token": "personal-1", "value": 1})
    in_query = client.post(path, params={"auth_token": "personal-1", "value": 2})
    assert (as_json.json()["value"], in_query.json()["value"]) == (1.0, 2.0)
    broken = {"content-type": "application/json"}
    assert client.post(path, content=b"{", headers=broken).status_code == 400


@pytest.mark.parametrize(
    ("compares", "change", "updated"),
    [
        (("value", "comment", "timestamp"), {"comment": "other"}, True),
        (("value", "timestamp"), {"comment": "other"}, False),
        (("value",), {"daystamp": "20231111"}, False),
        (("value",), {"value": 4}, True),
    ],
)
def test_what_makes_a_resend_identical_can_be_chosen(api, beeminder, compares, change, updated):
    """Nobody knows: a change of what is not compared is refused, and is not made."""
    beeminder.state.compares = compares
    sent = {"value": 3, "requestid": "r", "daystamp": "20231110", "comment": "c"}
    made = api("POST", POINTS, **sent)
    answer = api("POST", POINTS, 200 if updated else 422, **(sent | change))
    (point,) = api("GET", POINTS)
    assert updated == (answer.get("status") == "updated")
    assert updated == ({**point, "status": "created"} != made)


def test_a_resend_may_be_answered_with_the_point_that_stands(api, beeminder):
    """The vendor's page can be read that way: 200, no status, nothing changed."""
    sent = {"value": 3, "requestid": "r", "daystamp": "20231110"}
    made = api("POST", POINTS, **sent)
    beeminder.state.resends = "shown"
    again = api("POST", POINTS, **sent)
    assert {**again, "status": "created"} == made
    assert beeminder.state.write_counts("alice", "energy") == {"r": {"created": 1, "duplicate": 1}}


@pytest.mark.parametrize("reuses", [True, False])
def test_the_requestid_of_a_deleted_point_may_be_gone_for_good(api, beeminder, reuses):
    """Then a resend is told to be a duplicate of something that is not there."""
    beeminder.state.reuses_requestids = reuses
    made = api("POST", POINTS, value=1, requestid="r")
    api("DELETE", f"{POINTS}/{made['id']}")
    api("POST", POINTS, 200 if reuses else 422, value=1, requestid="r")
    batch = json.dumps([{"value": 1, "requestid": "r"}])
    for resend in ("error", "duplicate", "silent"):
        beeminder.state.batch_shape = BatchShape(resend=resend)
        answer = api("POST", f"{POINTS}/create_all", datapoints=batch)
        assert isinstance(answer, list) == (reuses and resend != "error")
    assert len(api("GET", POINTS)) == reuses
