"""The reminder webhook: whose goal it is says the path, and only the path."""

import pytest

from db.models import User
from db.states import UserState

HOOK = "hook-of-alice"
PATH = f"/beeminder/reminder/{HOOK}"


@pytest.fixture
def alice(serving) -> int:
    """Alice, whose hook was stored under the key that is being rotated out."""
    with serving.ledger.write() as session:
        user = User(username="alice", hook_hash=serving.vault.fingerprints(HOOK)[1])
        session.add(user)
        session.flush()
        return user.id


@pytest.mark.parametrize(
    ("goal", "payload"),
    [
        ({"slug": "Energy", "id": "g1"}, {"slug": "energy", "goal_beeminder_id": "g1"}),
        ({"slug": "energy"}, {"slug": "energy", "goal_beeminder_id": None}),
        ({"id": "g1", "user": "bob"}, {"slug": "", "goal_beeminder_id": "g1"}),
    ],
)
def test_stored_for_the_owner_of_the_hook(serving, alice, goal, payload):
    """202 once stored; what the body says of people is not believed."""
    response = serving.client.post(PATH, json={"goal": goal, "user": "mallory"})

    assert response.status_code == 202
    [event] = serving.events()
    assert (event.kind, event.user_id, event.payload) == ("reminder", alice, payload)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"goal": None},
        {"goal": "energy"},
        {"goal": {}},
        {"goal": {"slug": 1}},
        {"goal": {"slug": ""}},
        {"goal": {"slug": "x" * 101}},
        {"goal": {"id": {"$oid": "1"}}},
    ],
)
def test_without_a_goal_is_400(serving, alice, body):
    """A body that names no goal is malformed."""
    response = serving.client.post(PATH, json=body)

    assert response.status_code == 400
    assert serving.events() == []


def test_form_is_415(serving, alice):
    """Beeminder sends JSON here; a form is foreign."""
    assert serving.client.post(PATH, data={"goal": "energy"}).status_code == 415


def test_hook_of_somebody_who_left_is_404(serving, alice):
    """After a de-authorization the hook is as unknown as any other."""
    with serving.ledger.write() as session:
        user = session.get_one(User, alice)
        user.state = UserState.DEAUTHORIZED
        session.add(user)

    assert serving.client.post(PATH, json={"goal": {"slug": "energy"}}).status_code == 404


def test_rings_urgently(serving, alice, until):
    """A goal that is about to derail goes ahead of everything."""
    serving.client.post(PATH, json={"goal": {"slug": "energy"}})
    until(lambda: serving.bell.rung)

    assert serving.bell.rung == [("sync", "urgent")]


def test_database_that_fails_is_503(serving, alice):
    """When nobody can say whose hook it is, the call has to come again."""
    with serving.ledger.write() as session:
        session.connection().exec_driver_sql('ALTER TABLE "user" RENAME TO gone')

    response = serving.client.post(PATH, json={"goal": {"slug": "energy"}})

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "not_stored"
