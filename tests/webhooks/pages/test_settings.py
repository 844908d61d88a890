"""The settings page: one's own, and nobody else's; what is secret is shown on demand or never."""

import re

import pytest
from sqlmodel import select

from db import channels, messages
from db.models import LoginLink, User
from db.models_pages import Channel, Deed, Message
from db.states import ChannelState, MessageState
from webhooks.services import Identity

ADDRESS = "ntfy://canary-topic"


@pytest.fixture
def people(serving):
    """Alice and Bob, each with a channel."""
    with serving.ledger.write() as session:
        for number, name in enumerate(("alice", "bob"), start=1):
            user = User(beeminder_id=f"u{number}", username=name, timezone="Europe/Vienna")
            session.add(user)
            session.flush()
            channels.add(
                session,
                serving.vault,
                user_id=user.id,
                name=f"service-of-{name}",
                url=f"json://{name}.test/canary-{name}",
                now=serving.clock.now(),
            )


@pytest.fixture
def alice(serving, people):
    """Alice's browser."""
    serving.services.people["t"] = Identity("u1", "alice", None)
    location = serving.client.get("/beeminder/connect").headers["Location"]
    serving.client.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "t"},
    )
    return serving.client


def sign_in_as_operator(serving):
    """The browser of an operator who is nobody at Beeminder."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    serving.client.get("/login/once")
    return serving.client


def send(client, path, **fields):
    """Send a form of the settings page."""
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/settings").text)[1]
    return client.post(path, data={"csrf": token, **fields})


def text_of(response):
    """What a person reads on a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def of(serving, table):
    """All rows of a table, oldest first."""
    with serving.ledger.read() as session:
        return list(session.exec(select(table).order_by(table.id)))


def test_own_settings_only(alice):
    """Who one is, in which zone, and one's own channels; no trace of others or of an address."""
    response = alice.get("/settings")
    text = text_of(response)
    assert response.status_code == 200
    assert "alice" in text
    assert "Europe/Vienna as Beeminder says it" in text
    assert "service-of-alice" in text
    assert "bob" not in response.text
    assert "canary" not in response.text
    assert len(response.content) < 15_000


def test_strangers_are_sent_to_the_start(serving):
    """Without a session there are no settings."""
    assert serving.client.get("/settings").status_code == 303
    assert serving.client.post("/settings/channels", data={"url": ADDRESS}).status_code == 303


def test_a_channel_is_added_encrypted_and_shown_by_its_service_only(serving, alice):
    """The address is in no page, no row and no deed; the deed says who did it."""
    assert send(alice, "/settings/channels", url=ADDRESS).status_code == 303
    assert "ntfy is added" in alice.get("/settings").text
    made = of(serving, Channel)[-1]
    assert made.name == "ntfy"
    assert serving.vault.decrypt(made.url_cipher) == ADDRESS
    (deed,) = of(serving, Deed)
    assert (deed.actor, deed.action, deed.details) == ("alice", "channel.add", {"service": "ntfy"})
    shown = f"{alice.get('/settings').text}{made!r}{deed!r}"
    assert "canary-topic" not in shown


@pytest.mark.parametrize(
    ("url", "why"),
    [("nonsense", "is not understood"), ("exec://rm", "is not understood")],
)
def test_what_is_not_understood_is_refused_with_the_reason(serving, alice, url, why):
    """422, the reason beside the field, what was given not repeated, nothing kept."""
    response = send(alice, "/settings/channels", url=url)
    assert response.status_code == 422
    assert why in response.text
    assert f'value="{url}"' not in response.text
    assert len(of(serving, Channel)) == 2
    assert of(serving, Deed) == []


def test_the_same_address_is_no_second_channel(serving, alice):
    """Told once, not twice."""
    send(alice, "/settings/channels", url=ADDRESS)
    assert "already" in send(alice, "/settings/channels", url=ADDRESS).text
    assert len(of(serving, Channel)) == 3


def test_there_is_an_end_to_channels(serving, alice):
    """One who has as many as there may be is not offered another, and gets none."""
    for number in range(channels.MOST):
        send(alice, "/settings/channels", url=f"{ADDRESS}{number}")
    assert len(of(serving, Channel)) == channels.MOST + 1
    assert 'action="/settings/channels"' not in alice.get("/settings").text


def test_a_test_is_asked_for_and_watched(serving, alice, until):
    """It rings, the row asks for itself while it is on its way, and says what came of it."""
    assert send(alice, "/settings/channels/1/test").status_code == 303
    (row,) = of(serving, Message)
    assert (row.channel_id, row.topic, row.state) == (1, messages.TEST, MessageState.PENDING)
    until(lambda: ("tell", "bulk") in serving.bell.rung)
    page = alice.get("/settings").text
    assert 'hx-get="/settings/channels/1"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert (
        "a moment ago"
        in alice.get(send(alice, "/settings/channels/1/test").headers["Location"]).text
    )
    with serving.ledger.write() as session:
        for held in messages.claim(session, owner="w", now=serving.clock.now(), limit=1):
            messages.give_up(session, held, held.rows, "error=401", serving.clock.now())
    part = alice.get("/settings/channels/1")
    assert "The test did not arrive" in part.text
    assert "error=401" in part.text
    assert "hx-get" not in part.text
    assert [deed.action for deed in of(serving, Deed)] == ["channel.test"]


def test_a_channel_in_trouble_says_so(serving, alice):
    """State, reason, and when something arrived last."""
    with serving.ledger.write() as session:
        session.get_one(Channel, 1).told_at = serving.clock.now() - 7200
        channels.in_trouble(session, 1, "<b>error=403", given_up=True)
    text = alice.get("/settings").text
    assert "needs attention" in text
    assert "&lt;b&gt;error=403" in text
    assert "2 h ago" in text


def test_a_channel_is_removed(serving, alice):
    """With what was to be told there, and a deed about it."""
    send(alice, "/settings/channels/1/test")
    send(alice, "/settings/channels/1/remove")
    assert [row.name for row in of(serving, Channel)] == ["service-of-bob"]
    assert of(serving, Message) == []
    assert of(serving, Deed)[-1].action == "channel.remove"


@pytest.mark.parametrize("deed", ["test", "remove"])
@pytest.mark.parametrize("ref", ["2", "99", "operator-0", "x", "0" * 30])
def test_channels_of_others_do_not_exist(serving, alice, ref, deed):
    """Bob's, nobody's and the operator's: the same answer, and nothing happens."""
    assert send(alice, f"/settings/channels/{ref}/{deed}").status_code == 404
    assert alice.get(f"/settings/channels/{ref}").status_code == 404
    assert len(of(serving, Channel)) == 2
    assert of(serving, Message) == []


def test_forms_of_others_do_nothing(serving, alice):
    """Without the token of this session nothing is added, tested, removed or shown."""
    for path in ("channels", "channels/1/test", "channels/1/remove", "hook", "hook/renew"):
        response = alice.post(f"/settings/{path}", data={"url": ADDRESS, "csrf": "forged"})
        assert response.status_code == 403
    assert of(serving, Deed) == []


def test_the_hook_is_shown_on_demand_only(serving, alice):
    """By a form, whole; a plain visit shows none of it, and a deed says that it was shown."""
    shown = re.search(
        r"http://waggle.test/beeminder/reminder/([\w-]+)", send(alice, "/settings/hook").text
    )
    again = send(alice, "/settings/hook").text
    assert shown[1] in again
    assert shown[1] not in alice.get("/settings").text
    user = of(serving, User)[0]
    assert serving.vault.decrypt(user.hook_cipher) == shown[1]
    assert {deed.action for deed in of(serving, Deed)} == {"hook.show"}
    assert all(shown[1] not in f"{deed!r}" for deed in of(serving, Deed))


def test_a_new_hook_ends_the_old_one(serving, alice):
    """Beeminder's calls to the old address are those of a stranger."""
    old = re.search(r"/beeminder/reminder/([\w-]+)", send(alice, "/settings/hook").text)[1]
    assert send(alice, "/settings/hook/renew").status_code == 303
    new = re.search(r"/beeminder/reminder/([\w-]+)", send(alice, "/settings/hook").text)[1]
    assert old != new
    goal = {"goal": {"slug": "energy"}}
    assert alice.post(f"/beeminder/reminder/{old}", json=goal).status_code == 404
    assert alice.post(f"/beeminder/reminder/{new}", json=goal).status_code == 202


def test_an_operator_sees_their_own_channel(serve):
    """WAGGLE_NOTIFY by kind, with its state and a test; what is a person's is not offered."""
    audience = messages.operator("0123456789abcdef0123")
    serving = serve(operator_channels=((audience, "ntfy"),))
    client = sign_in_as_operator(serving)
    page = client.get("/settings")
    assert "WAGGLE_NOTIFY" in page.text
    assert "ntfy" in page.text
    assert "/settings/hook" not in page.text
    assert send(client, "/settings/channels/operator-0/test").status_code == 303
    (row,) = of(serving, Message)
    assert (row.audience, row.channel_id) == (audience, None)
    assert client.post("/settings/channels", data={}).status_code == 403
    assert "The test is on its way" in client.get("/settings/channels/operator-0").text


def test_an_operator_without_a_channel_is_told_so(serve):
    """Nobody would hear of anything."""
    client = sign_in_as_operator(serve())
    assert "WAGGLE_NOTIFY</code> is not set" in client.get("/settings").text


def test_a_failed_channel_heals_on_its_page(serving, alice):
    """Once something arrives there is nothing to attend to."""
    with serving.ledger.write() as session:
        channels.in_trouble(session, 1, "error=403", given_up=True)
        channels.told(session, 1, serving.clock.now())
    assert of(serving, Channel)[0].state == ChannelState.ACTIVE
    assert "error=403" not in alice.get("/settings").text
