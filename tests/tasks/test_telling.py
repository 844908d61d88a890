"""Messages on their way: each is told once, to the right people, and nobody waits for anybody."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlmodel import select

from db import channels, messages, notices
from db.models_pages import Channel, Message
from db.states import ChannelState, MessageState
from db.vault import Vault
from tasks import telling, telling_news
from tasks.runtime import Options, Runtime
from tests.tasks.listening import Listener, listening, mailing, nobody
from tests.world import KEY, PASSWORD, TOKEN, CrashError, World, crash_at
from worker import redaction

DAY = 86400.0
MINUTE = 61.0


@pytest.fixture(name="listener")
def _listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


def teller(world: World, **more: object) -> Runtime:
    """A worker that may call this machine, and cleans texts as logs are."""
    options = {"loopback_addresses": True, "private_addresses": False, **more.pop("options", {})}
    return world.runtime(clean=redaction.text, options=Options(**options), **more)


def add(world: World, url: str, name: str = "JSON") -> int:
    """A channel of alice's."""
    with world.ledger.write() as session:
        made = channels.add(
            session, world.vault, user_id=world.user_id, name=name, url=url, now=world.clock.at
        )
        assert made is not None
        return made.id or 0


def say(world: World, message: str = "no answer", **more: str) -> None:
    """Something happens to alice's feed."""
    told = {"subject": f"feed:{world.feed_id}", "kind": "late", "key": ""} | more
    with world.ledger.write() as session:
        notices.raise_(session, user_id=world.user_id, message=message, now=world.clock.at, **told)


def work(world: World, rt: Runtime | None = None, *, seconds: float = telling.SECONDS) -> None:
    """Tell until nothing is to be told now."""
    rt = rt or teller(world)
    while telling.run(rt, seconds=seconds):
        pass


def rows(world: World) -> list[Message]:
    """All messages there ever were."""
    with world.ledger.read() as session:
        return list(session.exec(select(Message).order_by(Message.id)))


def channel(world: World, channel_id: int) -> Channel:
    """A channel as it stands."""
    with world.ledger.read() as session:
        return session.get_one(Channel, channel_id)


def test_a_notice_is_told_once_to_each_channel(world: World, listener: Listener) -> None:
    """Under the name of its feed, with its text, and not again however often it is looked."""
    mine = [add(world, listener.url("one")), add(world, listener.url("two"))]
    say(world)
    world.clock.advance(MINUTE)
    work(world)
    world.clock.advance(MINUTE)
    say(world)
    work(world)

    for path in ("one", "two"):
        (text,) = listener.texts(path)
        assert "alice/energy has no fresh data" in text
        assert "no answer" in text
    assert [row.state for row in rows(world)] == [MessageState.SENT] * 2
    assert [channel(world, one).told_at for one in mine] == [world.clock.at - MINUTE] * 2


def test_mail_arrives(world: World) -> None:
    """By SMTP as well, which no HTTP client sends."""
    with mailing() as mailbox:
        add(world, mailbox.url(), "E-Mail")
        say(world)
        world.clock.advance(MINUTE)
        work(world)
        (mail,) = mailbox.mails
    assert "alice/energy" in mail


def test_a_storm_is_one_text(world: World, listener: Listener) -> None:
    """Five hundred feeds that fail at once: a number, the first five, and the rest untold."""
    add(world, listener.url("one"))
    for number in range(500):
        say(world, f"reason {number:03}", subject=f"feed:{1000 + number}")
    world.clock.advance(MINUTE)
    work(world)
    (text,) = listener.texts("one")
    assert "500 feeds have no fresh data; the first 5 are:" in text
    assert "reason 004" in text
    assert "reason 005" not in text
    assert {row.state for row in rows(world)} == {MessageState.SENT}
    assert len(rows(world)) == 500


def test_one_text_a_minute_at_most(world: World, listener: Listener) -> None:
    """What comes a moment later waits, and what waits is told together."""
    add(world, listener.url("one"))
    say(world, kind="failing_red")
    work(world)
    for number in range(3):
        world.clock.advance(5)
        say(world, kind="failing_red", subject=f"feed:{50 + number}")
        work(world)
    assert len(listener.texts("one")) == 1
    world.clock.advance(MINUTE)
    work(world)
    assert len(listener.texts("one")) == 2
    assert "3 goals derail today" in listener.texts("one")[1]


@pytest.mark.parametrize("step", ["messages.claimed", "messages.sent"])
def test_a_crash_is_told_at_most_twice(world: World, listener: Listener, step: str) -> None:
    """Between claim, sending and mark: told once more when the lease is over, and then no more."""
    add(world, listener.url("one"))
    say(world)
    world.clock.advance(MINUTE)
    with pytest.raises(CrashError):
        work(world, teller(world, trace=crash_at(step)))
    sent = len(listener.texts("one"))
    assert sent == (step == "messages.sent")
    work(world)
    assert len(listener.texts("one")) == sent  # somebody may be at it
    world.clock.advance(messages.LEASE_SECONDS + 1)
    work(world)
    work(world)
    assert len(listener.texts("one")) == sent + 1
    assert [row.state for row in rows(world)] == [MessageState.SENT]


def test_two_crashes_end_it(world: World, listener: Listener) -> None:
    """What may have been told twice is not told a third time, and the row says why."""
    add(world, listener.url("one"))
    say(world)
    world.clock.advance(MINUTE)
    for _ in range(2):
        with pytest.raises(CrashError):
            work(world, teller(world, trace=crash_at("messages.sent")))
        world.clock.advance(messages.LEASE_SECONDS + 1)
    work(world)
    assert len(listener.texts("one")) == 2
    (row,) = rows(world)
    assert (row.state, row.error) == (MessageState.FAILED, messages.DOUBTFUL)


def test_one_that_hangs_keeps_nobody_waiting(world: World, listener: Listener) -> None:
    """The others are told and written down; it is tried once more, and given up with the reason."""
    listener.hangs.add("hung")
    hung, well = add(world, listener.url("hung")), add(world, listener.url("well"))
    say(world)
    world.clock.advance(MINUTE)
    work(world, seconds=3.0)
    assert len(listener.texts("well")) == 1
    assert channel(world, well).told_at == world.clock.at
    assert "no answer in time" in (channel(world, hung).last_error or "")
    assert channel(world, hung).state == ChannelState.ACTIVE
    world.clock.advance(3600)
    work(world, seconds=3.0)
    assert channel(world, hung).state == ChannelState.FAILING
    world.clock.advance(DAY)
    work(world, seconds=3.0)
    assert len(listener.texts("hung")) == 2
    assert len(listener.texts("well")) == 1


def test_what_fails_for_a_day_is_given_up(world: World, listener: Listener) -> None:
    """Tried again with growing pauses until then; the channel says why, and heals by an arrival."""
    gone = add(world, f"json://127.0.0.1:{nobody()}/x")
    say(world)
    for _ in range(60):
        world.clock.advance(3 * 3600)
        work(world)
        if channel(world, gone).state == ChannelState.FAILING:
            break
    (row,) = rows(world)
    assert row.state == MessageState.FAILED
    assert world.clock.at - row.created_at >= DAY
    assert 3 < row.attempts < 20
    assert channel(world, gone).last_error
    with world.ledger.write() as session:
        found = session.get_one(Channel, gone)
        found.url_cipher = world.vault.encrypt(listener.url("back"))
        session.add(found)
    say(world, kind="units")
    world.clock.advance(MINUTE)
    work(world)
    assert channel(world, gone).state == ChannelState.ACTIVE
    assert channel(world, gone).last_error is None


def test_while_it_fails_nothing_new_makes_a_try(world: World, listener: Listener) -> None:
    """A service in trouble is asked at its time, with all that came in meanwhile."""
    listener.answers["one"] = 500
    add(world, listener.url("one"))
    say(world)
    world.clock.advance(MINUTE)
    work(world)
    say(world, kind="failing_red")
    work(world)
    assert len(listener.texts("one")) == 1
    listener.answers.clear()
    world.clock.advance(600)
    work(world)
    assert len(listener.texts("one")) == 2
    assert {row.state for row in rows(world)} == {MessageState.SENT}


REFUSED = {
    "json://10.1.2.3/x": "not public",
    "json://169.254.169.254/latest": "not public",
    "json://[::ffff:192.168.0.1]/x": "not public",
    "mailto://192.168.1.1/?from=a@example.org&to=b@example.org": "not public",
    "ntfy://172.16.0.1/topic": "not public",
    "syslog://": "for its operator only",
    "discord://1234567890123/abcdefghijklmnop?template=/etc/passwd": "would read a file",
    "nothing://here": "not an Apprise address",
}


def test_people_reach_nothing_that_only_we_can_reach(world: World) -> None:
    """Private addresses, files and this machine's own log: refused at once, and said why."""
    mine = {add(world, url): why for url, why in REFUSED.items()}
    say(world)
    world.clock.advance(MINUTE)
    work(world)
    for channel_id, why in mine.items():
        found = channel(world, channel_id)
        assert found.state == ChannelState.FAILING
        assert why in (found.last_error or "")


def test_a_name_leads_nowhere_private(world: World, listener: Listener) -> None:
    """What is checked is what is called, not what was written."""
    mine = add(world, listener.url("one").replace("127.0.0.1", "localhost"))
    say(world)
    world.clock.advance(MINUTE)
    work(world, teller(world, options={"loopback_addresses": False}))
    assert listener.came == []
    assert "not public" in (channel(world, mine).last_error or "")


def test_no_secret_is_told(world: World, listener: Listener) -> None:
    """Not those of the person, even where a vendor repeats them, nor what looks like one."""
    add(world, listener.url("canary-of-the-channel"))
    secret = "canary-of-another"
    say(world, f"refused {TOKEN} and {PASSWORD}; api_key={secret} at https://u:{secret}@x.test/")
    world.clock.advance(MINUTE)
    work(world)
    (text,) = listener.texts("canary-of-the-channel")
    assert "refused" in text
    for canary in (TOKEN, PASSWORD, secret):
        assert canary not in text
        assert all(canary not in row.body for row in rows(world))


def test_an_address_stands_nowhere_readable(
    world: World, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in rows nor in logs nor in the words of a failure."""
    listener.answers["canary-topic"] = 403
    add(world, f"{listener.url('canary-topic')}?+X-Key=canary-header")
    say(world)
    world.clock.advance(MINUTE)
    with caplog.at_level("DEBUG"):
        work(world)
    with world.ledger.read() as session:
        shown = "".join(
            f"{row!r}" for table in (Channel, Message) for row in session.exec(select(table))
        )
    for canary in ("canary-topic", "canary-header"):
        assert canary not in shown
        assert canary not in caplog.text


def test_a_test_goes_at_once_and_is_tried_once(world: World, listener: Listener) -> None:
    """Also within the minute; one that fails says so and is not tried again."""
    mine = add(world, listener.url("one"))
    say(world, kind="failing_red")
    work(world)
    for number, answer in enumerate((200, 500)):
        listener.answers["one"] = answer
        with world.ledger.write() as session:
            messages.ask_test(session, messages.channel(mine), mine, now=world.clock.at)
        work(world)
        world.clock.advance(messages.TEST_APART_SECONDS)
        work(world)
        assert len(listener.texts("one")) == 2 + number
    with world.ledger.read() as session:
        last = messages.last_test(session, messages.channel(mine))
    assert last is not None
    assert last.state == MessageState.FAILED
    assert "Internal" in (last.error or "") or "500" in (last.error or "")


def test_the_operator_is_told_at_each_address(world: World, listener: Listener) -> None:
    """What concerns the house, by every address of the settings, each tried for itself."""
    urls = (listener.url("ops"), f"json://127.0.0.1:{nobody()}/x")
    rt = teller(world, options={"notify": urls})
    say(world, "Beeminder is silent", kind="breaker")
    say(world, "a day is held", kind="held")
    world.clock.advance(MINUTE)
    work(world, rt)
    (text,) = listener.texts("ops")
    assert "Beeminder is silent" in text
    assert "a day is held" not in text
    assert sorted(row.state for row in rows(world)) == [MessageState.PENDING, MessageState.SENT]


def test_what_waited_when_a_key_was_put_in_front_is_told(world: World, listener: Listener) -> None:
    """The operator's audience is named by a hash: it is known under each key of the ring."""
    url = listener.url("ops")
    say(world, "Beeminder is silent", kind="breaker")
    world.clock.advance(MINUTE)
    telling_news.find(teller(world, options={"notify": (url,)}))
    ring = Vault([Fernet.generate_key().decode(), KEY])
    work(world, teller(world, options={"notify": (url,)}, vault=ring))
    assert len(listener.texts("ops")) == 1


def test_an_address_that_was_taken_out_of_the_settings_is_over(world: World) -> None:
    """What waited for it does not wait for ever."""
    url = f"json://127.0.0.1:{nobody()}/x"
    say(world, kind="breaker")
    world.clock.advance(MINUTE)
    work(world, teller(world, options={"notify": (url,)}))
    world.clock.advance(600)
    work(world)
    (row,) = rows(world)
    assert (row.state, row.error) == (MessageState.FAILED, telling.REMOVED)
