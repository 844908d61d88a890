"""Our side of Beeminder: one person's client, behind the person's gate.

Every call goes through the gate of the token it uses. A 401 is not believed at once: a new login
ends the token before it, so one that was stored since is tried once.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import clients
from clients.errors import AuthFailed, Permanent, Transient, Unavailable
from db import links, people
from db.links import Link
from db.models import User
from db.quotas import BEEMINDER
from db.states import UserState
from db.vault import VaultError
from tasks import limits
from tasks.gates import LedgerGate
from tasks.limits import NO_PACE, Pace, Quota
from tasks.runtime import Runtime, UnreadableSecretError

T = TypeVar("T")
WHERE = "Beeminder"
OAUTH = "oauth"
LEAST_SECONDS = 1.0
STILL_SECONDS = 1.0  # less than a request may take, which reads no newer token either


class ReauthorizeError(AuthFailed):
    """Beeminder does not accept this person's token: they have to connect again."""

    default_reason = "reauthorize"


class Access:
    """What one person lets us do. Made per piece of work: the token is read when it is used.

    It is of one thread; others that take part in the work have a `fork` each.

    `answered` and `lost` say what the work has met so far: an answer of any kind, and an outage
    that no answer has followed. `pushed`: whether a push was answered. `known`: the person as the
    work has just read them, at `read_at` (UTC seconds) or later.
    """

    def __init__(
        self, rt: Runtime, user_id: int, *, known: User | None = None, read_at: float = 0.0
    ) -> None:
        self._rt = rt
        self.user_id = user_id
        self.answered = False
        self.pushed = False
        self.lost: Unavailable | None = None
        self._read = None if known is None else (links.link_of(known), read_at)

    def fork(self) -> "Access":
        """The same for another thread; what it meets there counts here when it is back (`join`)."""
        forked = Access(self._rt, self.user_id)
        forked._read = self._read
        return forked

    def join(self, forks: Sequence["Access"]) -> None:
        """These were at work at the same time, and are done.

        An outage of one is not over because another was answered: nobody knows which came last.
        """
        self.answered |= any(forked.answered for forked in forks)
        self.pushed |= any(forked.pushed for forked in forks)
        if any(forked.answered for forked in forks):
            self.lost = None
        self.lost = next((forked.lost for forked in forks if forked.lost is not None), self.lost)
        for forked in forks:
            self._read = forked._read  # noqa: SLF001 -- one of its own kind

    @property
    def silence(self) -> Unavailable | None:
        """Has the last call waited for an answer in vain? The next one would wait as long."""
        return self.lost if self.lost is not None and self.lost.status is None else None

    def come_near(self, *, seconds: float, within: float) -> None:
        """Wait until the next turn is so near; nothing where it is further away than `within`."""
        gate = gate_of(self._rt, self._person())
        gate.come_near(seconds=seconds, within=within)

    def push(self, ask: Callable[[clients.BeeminderClient], T], *, deadline: float) -> T:
        """`call`, to write a datapoint."""
        before, self.answered = self.answered, False
        try:
            return self.call(ask, deadline=deadline)
        finally:
            self.pushed |= self.answered
            self.answered |= before

    def call(self, ask: Callable[[clients.BeeminderClient], T], *, deadline: float = 20.0) -> T:
        """Run `ask` with a client; raises the tree of `clients.errors`, or `DeferredError`.

        `deadline`: seconds for all of it, a second try with a newer token included.
        """
        user, ends_at = self._person(), self._rt.clock.now() + deadline
        try:
            return self._call(user, ask, deadline)
        except AuthFailed as error:
            again = self._newer(user, error)
        try:
            return self._call(again, ask, max(LEAST_SECONDS, ends_at - self._rt.clock.now()))
        except AuthFailed as error:
            self._newer(again, error)
            message = "the token was replaced twice while Beeminder was asked"
            raise Transient(message, status=error.status, request_id=error.request_id) from None

    def _newer(self, user: Link, refused: AuthFailed) -> Link:
        """The person with a newer token than this one, which was refused.

        Raises `ReauthorizeError` where there is none: they have to connect again, and it says so.
        """
        with self._rt.ledger.write() as session:
            current = people.needs_reauthorization(
                session, self.user_id, token_version=user.token_version
            )
        self._read = None
        if not current:
            return self._user()
        message = "Beeminder does not accept the token any more; connect again"
        raise ReauthorizeError(message, status=refused.status, request_id=refused.request_id)

    def _call(self, user: Link, ask: Callable[[clients.BeeminderClient], T], deadline: float) -> T:
        try:
            found = ask(client_of(self._rt, user, deadline=deadline))
        except Unavailable as error:
            self.lost = error
            raise
        except Permanent as error:
            if error.status is not None:  # else it never left
                self.answered, self.lost = True, None
            raise
        self.answered, self.lost = True, None
        if user.state == UserState.REAUTHORIZE:
            with self._rt.ledger.write() as session:
                people.token_works(session, self.user_id, token_version=user.token_version)
        return found

    def _person(self) -> Link:
        """The person as they were a moment ago at most: a sync asks several times in a row."""
        now = self._rt.clock.now()
        if self._read is None or not 0.0 <= now - self._read[1] < STILL_SECONDS:
            self._read = (self._user(), now)
        return self._let_in(self._read[0])

    def _user(self) -> Link:
        with self._rt.ledger.read() as session:
            user = links.of(session, self.user_id)
        if user is None:
            message = "this person is not here any more"
            raise ReauthorizeError(message, reason="person_left")
        return self._let_in(user)

    @staticmethod
    def _let_in(user: Link) -> Link:
        if user.state == UserState.DEAUTHORIZED or user.token_cipher is None:
            message = f"{user.username} has taken our access away; connect again to go on"
            raise ReauthorizeError(message, reason="deauthorized")
        return user


def gate_of(rt: Runtime, user: User | Link) -> LedgerGate:
    """The gate of this person's requests: a limit outlives the token that met it."""
    rate = rt.options.beeminder_rate
    pace = Pace(1.0 / rate, limits.BURST) if rate > 0 else NO_PACE
    quota = Quota(account=f"{user.id}", plain=True, title=user.username, unknown=rate > 0)
    return LedgerGate(rt, BEEMINDER, (quota,), where=WHERE, pace=pace)


def client_of(rt: Runtime, user: User | Link, *, deadline: float) -> clients.BeeminderClient:
    """A client with this person's decrypted token; `deadline` in seconds for each call.

    Raises `UnreadableSecretError`.
    """
    try:
        value = rt.vault.decrypt(user.token_cipher or "")
    except VaultError as error:
        raise UnreadableSecretError(str(error)) from None
    return clients.BeeminderClient(
        http=rt.http,
        base_url=rt.options.beeminder_url,
        gate=gate_of(rt, user),
        token=clients.Token("oauth" if user.token_kind == OAUTH else "personal", value),
        deadline=deadline,
    )
