"""What is one's own: how one signs in, the address for reminders, and where one is told things.

Addresses of channels are secrets: what was given once is never shown again. Reminders have a
secret in their address too, which is shown to its owner when they ask for it.
"""

from dataclasses import dataclass

from sqlmodel import Session
from starlette.responses import Response

from db import channels, messages, people
from db.models import User
from db.models_pages import Channel, Message
from db.states import ChannelState, MessageState
from db.vault import VaultError
from webhooks import errors, persons, visits
from webhooks.services import ServiceError
from webhooks.visits import Visit

PATH = "/settings"
LONGEST_ADDRESS = 1000
EXAMPLES = (
    ("Email", "mailtos://user:app-password@gmail.com?to=you@example.org"),
    ("Slack", "slack://TokenA/TokenB/TokenC/#channel"),
    ("Telegram", "tgram://bot-token/chat-id"),
    ("ntfy", "ntfy://a-topic-that-nobody-guesses"),
    ("Discord", "discord://webhook-id/webhook-token"),
)
UNREADABLE = "it cannot be read with the keys that are set now: make a new one"
TOO_MANY = f"no more than {channels.MOST} channels: remove one first"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelShown:
    """A channel as a page shows it. `ref` stands in addresses of ours; `test` is the last one."""

    ref: str
    name: str
    state: str
    told_at: float | None
    last_error: str | None
    test: Message | None
    removable: bool

    @property
    def under_way(self) -> bool:
        """Is a test on its way?"""
        return self.test is not None and self.test.state == MessageState.PENDING


def settings(visit: Visit) -> Response:
    """`/settings`."""
    return _page(visit)


def add_channel(visit: Visit) -> Response:
    """A new channel: looked at before it is kept, and never shown again."""
    user_id = persons.own_id(visit)
    url = visit.text("url", longest=LONGEST_ADDRESS)
    with visit.receiver.ledger.read() as session:
        full = len(channels.of_person(session, user_id)) >= channels.MOST
    if full:
        return _page(visit, wrong=TOO_MANY)
    try:
        name = visit.receiver.services.telling_service(url)
    except ServiceError as error:
        return _page(visit, wrong=error.message)
    with visit.receiver.ledger.write() as session:
        made = channels.add(
            session, visit.receiver.vault, user_id=user_id, name=name, url=url, now=visit.now
        )
        if made is not None:
            visit.did(session, "channel.add", f"channel {made.id}", service=name)
    if made is None:
        return _page(visit, wrong="you have this address already")
    return visit.go(PATH, say=f"{name} is added. Send a test, to see that it arrives.")


def remove_channel(visit: Visit) -> Response:
    """Forget an address, and what was to be told there."""
    user_id = persons.own_id(visit)
    with visit.receiver.ledger.write() as session:
        found = _channel(visit, session, user_id)
        channels.remove(session, found.id or 0)
        visit.did(session, "channel.remove", f"channel {found.id}", service=found.name)
    return visit.go(PATH, say=f"{found.name} is removed.")


def test_channel(visit: Visit) -> Response:
    """Have a worker send a test there."""
    ref = visit.path("ref")
    with visit.receiver.ledger.write() as session:
        if ref.startswith("operator-"):
            audience, name = _operators(visit, ref)
            asked = messages.ask_test(session, audience, None, now=visit.now)
            subject = "WAGGLE_NOTIFY"
        else:
            found = _channel(visit, session, persons.own_id(visit))
            audience, name = messages.channel(found.id or 0), found.name
            asked = messages.ask_test(session, audience, found.id, now=visit.now)
            subject = f"channel {found.id}"
        if asked:
            visit.did(session, "channel.test", subject, service=name)
    if asked:
        visit.receiver.ringer.want([("tell", "bulk")])
        return visit.go(PATH)
    return visit.go(PATH, say="A test was sent there a moment ago: wait for it.", kind="warn")


def channel_row(visit: Visit) -> Response:
    """The part of the page that shows one channel, for whoever looks on while a test is sent."""
    ref = visit.path("ref")
    with visit.receiver.ledger.read() as session:
        if ref.startswith("operator-"):
            audience, name = _operators(visit, ref)
            shown = _of_operator(session, ref, audience, name)
        else:
            shown = _of_channel(session, _channel(visit, session, persons.own_id(visit)))
    return visit.page("settings_channel.html", channel=shown)


def show_hook(visit: Visit) -> Response:
    """Show the address for reminders, as it is."""
    user_id = persons.own_id(visit)
    with visit.receiver.ledger.write() as session:
        user = session.get_one(User, user_id)
        if user.hook_cipher is None:
            people.renew_hook(user, visit.receiver.vault)
        visit.did(session, "hook.show", user.username)
        session.add(user)
    try:
        secret = visit.receiver.vault.decrypt(user.hook_cipher or "")
    except VaultError:
        return _page(visit, hook_error=UNREADABLE)
    return _page(visit, hook=f"{visit.receiver.config.public_url}/beeminder/reminder/{secret}")


def renew_hook(visit: Visit) -> Response:
    """A new address for reminders; the old one is unknown from now on."""
    user_id = persons.own_id(visit)
    with visit.receiver.ledger.write() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        people.renew_hook(user, visit.receiver.vault)
        visit.did(session, "hook.renew", user.username)
        session.add(user)
    return visit.go(
        PATH, say="There is a new address: paste it at Beeminder, the old one is dead.", kind="warn"
    )


def _page(
    visit: Visit,
    *,
    wrong: str | None = None,
    hook: str | None = None,
    hook_error: str | None = None,
) -> Response:
    user_id = visit.viewer.user_id
    with visit.receiver.ledger.read() as session:
        user = None if user_id is None else session.get_one(User, user_id)
        own = [] if user_id is None else channels.of_person(session, user_id)
        shown = [_of_channel(session, channel) for channel in own]
        operators = (
            [
                _of_operator(session, f"operator-{number}", audience, name)
                for number, (audience, name) in enumerate(visit.receiver.config.operator_channels)
            ]
            if visit.viewer.operator
            else []
        )
    return visit.page(
        "settings.html",
        title="Settings · Waggle",
        status=200 if wrong is None else 422,
        user=user,
        channels=shown,
        operators=operators,
        under_way=any(one.under_way for one in [*shown, *operators]),
        examples=EXAMPLES,
        full=len(shown) >= channels.MOST,
        wrong=wrong,
        hook=hook,
        hook_error=hook_error,
    )


def _channel(visit: Visit, session: Session, user_id: int) -> Channel:
    ref = visit.path("ref")
    known = ref.isascii() and ref.isdigit() and len(ref) < 10  # noqa: PLR2004 -- an id of a row
    found = channels.find(session, int(ref), user_id=user_id) if known else None
    if found is None:
        raise errors.NotFoundError
    return found


def _operators(visit: Visit, ref: str) -> tuple[str, str]:
    known = {
        f"operator-{number}": found
        for number, found in enumerate(visit.receiver.config.operator_channels)
    }
    if not visit.viewer.operator or ref not in known:
        raise errors.NotFoundError
    return known[ref]


def _of_channel(session: Session, channel: Channel) -> ChannelShown:
    return ChannelShown(
        ref=str(channel.id),
        name=channel.name,
        state=channel.state,
        told_at=channel.told_at,
        last_error=channel.last_error,
        test=messages.last_test(session, messages.channel(channel.id or 0)),
        removable=True,
    )


def _of_operator(session: Session, ref: str, audience: str, name: str) -> ChannelShown:
    last = messages.last_ended(session, audience)
    failed = last is not None and last.state == MessageState.FAILED
    return ChannelShown(
        ref=ref,
        name=name,
        state=ChannelState.FAILING if failed else ChannelState.ACTIVE,
        told_at=messages.told_at(session, audience),
        last_error=last.error if last is not None and failed else None,
        test=messages.last_test(session, audience),
        removable=False,
    )


ROUTES = (
    visits.page(PATH, settings),
    visits.form(f"{PATH}/channels", add_channel),
    visits.page(f"{PATH}/channels/{{ref}}", channel_row),
    visits.form(f"{PATH}/channels/{{ref}}/test", test_channel),
    visits.form(f"{PATH}/channels/{{ref}}/remove", remove_channel),
    visits.form(f"{PATH}/hook", show_hook),
    visits.form(f"{PATH}/hook/renew", renew_hook),
)
