"""Changing the data source of goals at Beeminder, as the ledger wishes.

What is there now is read first: unasked, only a free goal is taken and only our own place is given
back. Every try may be repeated, by anybody: it asks for the same thing.
"""

import structlog
from sqlmodel import Session

import clients
from clients.errors import AuthFailed, ClientError, NotFound, Permanent
from db import datasources, notices, tries
from db.deaths import MOST
from db.models import Goal, User
from db.states import Lane, UserState
from tasks import datasource, gates, outages, policy
from tasks.beeminder import WHERE, Access
from tasks.gates import DeferredError
from tasks.policy import Again, Stop, Tried
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

CALL_SECONDS = 8.0
TRY_SECONDS = 30.0  # longer than the calls of a try


def run(rt: Runtime, *, alone: bool = False) -> bool:
    """Make one change that is due; False when there was none.

    `alone`: one at which a worker may have died.
    """
    now = rt.clock.now()
    with rt.ledger.read() as session:
        goal = datasources.due(session, now, alone=alone)
    if goal is None:
        return False
    if tries.too_many(goal.datasource_tries):
        _give_up(rt, goal)
        return True
    with rt.ledger.write() as session:
        mine = datasources.take(session, goal, now=now, until=now + TRY_SECONDS)
    if mine:
        with gates.errand(Lane.DEFAULT):
            _try(rt, goal, asked=False)
    return True


def make(rt: Runtime, goal_id: int, want: str, *, asked: bool = True) -> Goal:
    """Set this now; returns the goal's new row.

    `asked`: a person asked for it, so it is set whatever is there. Where Beeminder could not be
    reached the row still wants it and the worker goes on, without replacing anybody, though.
    """
    with rt.ledger.write() as session:
        datasources.ask(session, goal_id, want, due_at=rt.clock.now() + TRY_SECONDS)
    with rt.ledger.read() as session:
        goal = session.get_one(Goal, goal_id)
    _try(rt, goal, asked=asked)
    with rt.ledger.read() as session:
        return session.get_one(Goal, goal_id)


def _try(rt: Runtime, goal: Goal, *, asked: bool) -> None:
    goal_id = goal.id or 0
    with rt.ledger.read() as session:
        linked = datasources.linked(session, goal_id)
    try:
        access = Access(rt, goal.user_id)
        with outages.counted(rt, access):
            before, after = _change(rt, goal, access, asked=asked)
    except (ClientError, DeferredError) as error:
        _not_now(rt, goal, error)
        return
    app_name = rt.options.app_name
    ours = datasource.same(goal.datasource_want, app_name)
    now = rt.clock.now()
    with rt.ledger.write() as session:
        datasources.seen(session, goal_id, after)
        if not ours and not linked:
            datasources.remember(session, goal_id, None)
        elif ours and datasource.same(before, app_name) and goal.datasource_before is None:
            datasources.remember(session, goal_id, "")
        if datasources.end(session, goal):
            _cleared(session, goal_id, ours=ours, now=now)
        if ours:  # the last feed may have been stopped while we were at it
            datasources.give_back(session, [goal_id], now)
    log.info("datasource.set", goal=goal_id, want=goal.datasource_want, before=before, after=after)


def _cleared(session: Session, goal_id: int, *, ours: bool, now: float) -> None:
    """What was in the way is not any more; why something could not be given back still holds."""
    subject = f"goal:{goal_id}"
    for key in datasources.open_notices(session, subject, datasource.KIND):
        if ours or key != datasource.REFUSED:
            notices.clear(session, subject=subject, kind=datasource.KIND, now=now, key=key)


def _change(
    rt: Runtime, goal: Goal, access: Access, *, asked: bool
) -> tuple[str | None, str | None]:
    """(what fed the goal before, what feeds it now). Unasked, nobody else's choice is replaced."""
    want, app_name = goal.datasource_want or "", rt.options.app_name
    seen = _find(access, goal)
    if datasource.same(want, app_name):
        with rt.ledger.read() as session:
            may = datasource.is_free(seen.autodata) and datasources.linked(session, goal.id or 0)
    else:
        may = bool(app_name) and datasource.same(seen.autodata, app_name)
    if datasource.same(seen.autodata, want) or not (asked or may):
        return seen.autodata, seen.autodata
    if datasource.same(want, app_name):
        # Before the call: an answer that is lost must not cost the memory of what was there.
        with rt.ledger.write() as session:
            datasources.remember(session, goal.id or 0, seen.autodata or "")
    after = access.call(
        lambda client: client.set_datasource(seen.slug, want), deadline=CALL_SECONDS
    )
    return seen.autodata, after.autodata


def _find(access: Access, goal: Goal) -> clients.Goal:
    """The goal as it is now, by its id where it was renamed and nobody has followed yet."""
    try:
        seen = access.call(lambda client: client.goal(goal.slug), deadline=CALL_SECONDS)
        if goal.beeminder_id in (None, seen.id):
            return seen
    except NotFound:
        if goal.beeminder_id is None:
            raise
    for other in access.call(lambda client: client.goals(), deadline=CALL_SECONDS):
        if other.id == goal.beeminder_id:
            return other
    message = f"there is no goal {goal.slug!r} any more"
    raise NotFound(message, reason="goal_not_found")


def _not_now(rt: Runtime, goal: Goal, error: ClientError | DeferredError) -> None:
    """Try again, or give it up and say so."""
    now, text = rt.clock.now(), f"{WHERE}: {error}"
    decided = policy.decide(policy.DATASOURCE, error, Tried(), now=now, rng=rt.rng)
    again_at = now + (decided.look_again if isinstance(decided, Stop) else decided.seconds)
    ours = datasource.same(goal.datasource_want, rt.options.app_name)
    # To be given back once the person connects again.
    waits_for_token = isinstance(error, AuthFailed) and not ours
    goes_on = isinstance(decided, Again) or waits_for_token
    log.info("datasource.not_set", goal=goal.id, want=goal.datasource_want, error=text)
    with rt.ledger.write() as session:
        user = session.get_one(User, goal.user_id)
        if goes_on and user.state != UserState.DEAUTHORIZED:
            datasources.put_off(session, goal, due_at=again_at, error=text)
            return
        if ours:
            datasources.remember(session, goal.id or 0, None)
        if isinstance(error, Permanent) and not isinstance(error, AuthFailed | NotFound):
            if datasources.end(session, goal, error=text, not_before=again_at):
                _refused(rt, session, goal, text, name=f"{user.username}/{goal.slug}")
        else:
            # A dead token, or a goal that is gone: the person's feeds fail with that and say it.
            datasources.end(session, goal, error=text, not_before=now)


def _give_up(rt: Runtime, goal: Goal) -> None:
    """Its tries killed or hung their worker: nobody makes this change before a person asks."""
    want, ours = goal.datasource_want, datasource.same(goal.datasource_want, rt.options.app_name)
    with rt.ledger.write() as session:
        name = f"{session.get_one(User, goal.user_id).username}/{goal.slug}"
        why = f"the worker died or hung {MOST} times in a row while it did nothing else"
        if ours:
            message = (
                f"Waggle can't be made the data source of {name}, so Beeminder does not ask it "
                f"before it acts: {why}. It is not tried any more; `waggle link {name}` does the "
                "same in a process of your own, shows how it ends, and has it tried again"
            )
        else:
            message = (
                f"the data source of {name} could not be set to {datasource.shown(want)}: {why}. "
                "It is not tried any more; the goal's settings at Beeminder can"
            )
        if not datasources.give_up(session, goal, error=why):
            return  # a person wants something else by now
        datasources.remember(session, goal.id or 0, None)
        datasource.tell(
            session, goal, datasource.Objection(datasource.REFUSED, message), rt.clock.now()
        )
    log.error("datasource.given_up", goal=goal.id, want=want)


def _refused(rt: Runtime, session: Session, goal: Goal, why: str, *, name: str) -> None:
    """Say it, and give a goal that can't have its old source back to its owner's hands."""
    now, want = rt.clock.now(), goal.datasource_want
    shown = datasource.shown(want)
    if datasource.same(want, rt.options.app_name):
        message = (
            f"Waggle can't be made the data source of {name}, so Beeminder does not ask it before "
            f"it acts: {why}. Is WAGGLE_BEEMINDER_APP_NAME the name that the app is registered "
            "under? It is tried again once a day"
        )
    elif want:
        message = (
            f"the data source of {name} could not be given back to {shown} and becomes manual "
            f"entry: {why}. Connect {shown} again in the goal's settings at Beeminder"
        )
        datasources.ask(session, goal.id or 0, "", due_at=now)
    else:
        message = f"{name} could not be set to manual entry: {why}. Its settings at Beeminder can"
    datasource.tell(session, goal, datasource.Objection(datasource.REFUSED, message), now)
