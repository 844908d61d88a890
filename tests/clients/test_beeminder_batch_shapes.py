"""The client against a simulated Beeminder that tells partial failures in every plausible way."""

import dataclasses
import itertools

import pytest

from clients import errors
from clients.beeminder import BeeminderClient
from clients.beeminder_models import NewDatapoint, Token
from simulators.beeminder import Beeminder
from simulators.beeminder_shapes import BatchShape
from simulators.server import LocalServer

CHOICES = {
    "container": ("object", "list"),
    "successes": ("plain", "nested"),
    "errors": ("reasons", "objects", "mapping", "nested", "shown"),
    "resend": ("error", "duplicate", "silent", "omitted"),
    "whole": (False, True),
}
SHAPES = {
    told: [
        BatchShape(**dict(zip(CHOICES, each, strict=True)))
        for each in itertools.product(*({**CHOICES, "errors": [told]}.values()))
    ]
    for told in CHOICES["errors"]
}
SAME = NewDatapoint(value=1.0, requestid="same", daystamp="20231110", comment="duplicate")
CHANGED = NewDatapoint(value=2.0, requestid="changed", daystamp="20231111")
NEW = NewDatapoint(value=3.0, requestid="new", daystamp="20231112")
# There is no such day: these two are refused, one of them over a point that stands.
BAD = NewDatapoint(value=4.0, requestid="bad", daystamp="20230230")
STANDING = NewDatapoint(value=5.0, requestid="standing", daystamp="20230230")
GOOD = [SAME, CHANGED, NEW]
BATCHES = {
    "resend only": [SAME],
    "all good": GOOD,
    "one bad": [*GOOD, BAD],
    "bad first": [STANDING, *GOOD],
    "only bad": [BAD, STANDING],
}


@pytest.fixture(scope="module")
def beeminder():
    made = Beeminder(clock=lambda: 1_700_000_000.0)
    made.state.add_user("alice", token="personal-1")
    return made


@pytest.fixture(scope="module")
def url(beeminder):
    with LocalServer(beeminder.app) as server:
        yield server.url


@pytest.fixture
def client(url, real_http):
    return BeeminderClient(http=real_http, token=Token("personal", "personal-1"), base_url=url)


@pytest.fixture
def goal(beeminder, client):
    """A goal on which three of the points stand already."""
    beeminder.state.batch_limit = None
    beeminder.state.batch_shape, beeminder.state.partial_status = BatchShape(), 200
    made = beeminder.state.add_goal("alice", "power")
    client.create("power", SAME)
    client.create("power", dataclasses.replace(CHANGED, value=20.0))
    client.create("power", dataclasses.replace(STANDING, daystamp="20231113"))
    return made


def copies(points):
    """Datapoints that nobody else can change."""
    return {known: dataclasses.replace(point) for known, point in points.items()}


def standing(goal):
    """What is really there, by requestid."""
    there = {point.requestid: point for point in goal.datapoints.values()}
    assert len(there) == len(goal.datapoints)
    return there


def assert_there(point, found, there):
    """The point stands at Beeminder as it was sent, under the id that was told."""
    real = there[point.requestid]
    assert (real.value, real.daystamp, real.comment) == (point.value, point.daystamp, point.comment)
    assert found.id in (real.id, None)


@pytest.mark.parametrize("status", [200, 207, 422])
@pytest.mark.parametrize("told", CHOICES["errors"])
def test_what_is_confirmed_is_there(beeminder, client, goal, told, status):
    """However a batch is answered, what is confirmed stands there as it was sent."""
    stood = copies(goal.datapoints)
    for shape, points in itertools.product(SHAPES[told], BATCHES.values()):
        goal.datapoints = copies(stood)
        beeminder.state.batch_shape, beeminder.state.partial_status = shape, status
        written = client.create_all("power", points).written
        there = standing(goal)
        for point in points:
            if point.requestid in written:
                assert_there(point, written[point.requestid], there)
        assert written.keys().isdisjoint({"bad", "standing"}), shape


@pytest.mark.parametrize("container", CHOICES["container"])
@pytest.mark.parametrize("resend", CHOICES["resend"])
@pytest.mark.parametrize("whole", CHOICES["whole"])
def test_the_rest_can_be_sent_singly(beeminder, client, goal, container, resend, whole):
    """After a batch and one request for each unconfirmed point all good ones are there, once."""
    beeminder.state.batch_shape = BatchShape(container=container, resend=resend, whole=whole)
    points = [STANDING, *GOOD, BAD]
    written = dict(client.create_all("power", points).written)
    for point in points:
        if point.requestid not in written and point in GOOD:
            written[point.requestid] = client.create("power", point)
        elif point.requestid not in written:
            with pytest.raises(errors.Rejected):
                client.create("power", point)
    there = standing(goal)
    assert there.keys() == {"same", "changed", "new", "standing"}
    for point in GOOD:
        assert_there(point, written[point.requestid], there)


@pytest.mark.parametrize("shape", [BatchShape(), BatchShape(container="list", errors="objects")])
def test_plain_shapes_are_believed(beeminder, client, goal, shape):
    """What is plainly told is not asked for again: only the resend and the refused one are left."""
    beeminder.state.batch_shape = shape
    outcome = client.create_all("power", [*GOOD, BAD])
    assert {name: each.status for name, each in outcome.written.items()} == {
        "changed": "updated",
        "new": "created",
    }
    assert len(outcome.errors) == 2
    assert outcome.request_id is not None


def test_a_batch_that_is_too_big(beeminder, client, goal):
    """A 500 with a page is an outage that says its status, and half of the batch goes through."""
    beeminder.state.batch_limit = 2
    with pytest.raises(errors.Unavailable) as caught:
        client.create_all("power", GOOD)
    assert caught.value.status == 500
    assert client.create_all("power", [CHANGED, NEW]).written.keys() == {"changed", "new"}
