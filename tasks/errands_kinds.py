"""What each kind of errand does. An answer is JSON, fit for a page, and holds no secret."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from clients.errors import Permanent
from db import deeds, errands, persons
from db.errands import Held
from db.feeds import FencedError
from db.models import Goal, Source, User
from db.names_of_feeds import Named
from db.states import ErrandKind, FeedState
from tasks import datasource, fortnight, leaving, linking, linking_draft, outages, reaching
from tasks.beeminder import Access
from tasks.providers import Looks
from tasks.runtime import Runtime

MOST_FOUND = 500  # of what is at a source; more than that nobody chooses from on a page
MOST_GOALS = 1000


class NothingThereError(Permanent):
    """What an errand is about has gone, or is not as it was."""

    default_reason = "nothing_there"


def goals(rt: Runtime, held: Held) -> dict[str, Any]:
    """The person's goals that are not archived. https://api.beeminder.com/#get-all-goals."""
    access = Access(rt, held.errand.user_id)
    with outages.counted(rt, access):
        found = access.call(lambda client: client.goals())
    told = [fortnight.as_json(goal) for goal in sorted(found, key=lambda goal: goal.slug)]
    return {"goals": told[:MOST_GOALS], "app": rt.options.app_name}


def check(rt: Runtime, held: Held) -> dict[str, Any]:
    """Do the credentials of a source work?"""
    provider, _ = reaching.reach(rt, _source(rt, held))
    return {"provider": provider.title}


def look(rt: Runtime, held: Held) -> dict[str, Any]:
    """What is at a source; `listed` is False where that can't be asked."""
    provider, connection = reaching.reach(rt, _source(rt, held))
    if not isinstance(connection, Looks):
        return {"provider": provider.title, "listed": False, "found": [], "more": 0}
    found = [asdict(one) for one in connection.look()]
    return {
        "provider": provider.title,
        "listed": True,
        "found": found[:MOST_FOUND],
        "more": max(0, len(found) - MOST_FOUND),
    }


def preview(rt: Runtime, held: Held) -> dict[str, Any]:
    """The last days of a feed, which is there (`feed_id`) or only a draft."""
    errand = held.errand
    feed_id = errand.params.get("feed_id")
    if feed_id is not None:
        return fortnight.of_feed(rt, feed_id)
    source = _source(rt, held)
    with rt.ledger.read() as session:
        user = session.get_one(User, errand.user_id)
    return fortnight.of_draft(
        rt, source.id or 0, linking_draft.from_json(user, source, errand.params)
    )


def link(rt: Runtime, held: Held) -> dict[str, Any]:
    """Make a feed; or, where a goal is named only, bring back what was unlinked of it."""
    if held.errand.goal_id is None:
        return linking_draft.make(rt, held)
    found = _feeds(rt, held)
    again = linking.linkable(found)
    if not again:
        why = found[0].feed.reason
        message = f"it is stopped ({why}): `waggle apply` or a new connection brings it back"
        raise NothingThereError(message)
    _still_ours(rt, held)
    looked = linking.look(rt, Access(rt, held.errand.user_id), again)
    done = linking.settle(rt, looked)
    rt.ring("sync", "default")
    return _answer(rt, held, done.said, done.failed, before=looked.goal.autodata, new=True)


def unlink(rt: Runtime, held: Held) -> dict[str, Any]:
    """Stop feeding a goal, and restore what fed it before."""
    found = _feeds(rt, held)
    awake = [named for named in found if named.feed.state != FeedState.STOPPED]
    before = found[0].goal.autodata
    if not awake:
        return _answer(rt, held, ["it was stopped already"], [], before=before)
    _still_ours(rt, held)
    goal = linking.unlink(rt, awake)
    said = [f"not fed any more: {', '.join(named.name for named in awake)}"]
    said += ["datapoints that were sent stay"]
    return _answer(rt, held, *_told(goal, said), before=before)


def manual(rt: Runtime, held: Held) -> dict[str, Any]:
    """Back to manual entry; Waggle goes on by its own schedule."""
    found = _feeds(rt, held)
    _still_ours(rt, held)
    before = found[0].goal.autodata
    goal = linking.manual(rt, found[0].goal)
    said = ["Waggle goes on by its own schedule; Beeminder does not ask it any more"]
    return _answer(rt, held, *_told(goal, said), before=before)


def leave(rt: Runtime, held: Held) -> dict[str, Any]:
    """The person goes with all that is known of them, this errand too; or what is in the way."""
    _still_ours(rt, held)
    left = leaving.leave(
        rt,
        held.errand.user_id,
        anyhow=bool(held.errand.params["anyhow"]),
        record=lambda session: deeds.record(
            session,
            at=rt.clock.now(),
            actor=persons.GONE,
            as_operator=False,
            user_id=None,
            action="person.leave",
            subject=persons.GONE,
        ),
    )
    return {"still_set": left.still_set}


def _told(goal: Goal | None, said: list[str]) -> tuple[list[str], list[str]]:
    """What became of the data source beside that, and what did not."""
    if goal is None:
        return said, []
    if goal.datasource_want is not None:
        why = goal.datasource_error or "not done yet"
        return [*said, f"the data source is not changed yet ({why}); the worker goes on"], []
    if goal.datasource_error is not None:
        return said, [goal.datasource_error]
    return [*said, f"the goal's data source is {datasource.shown(goal.autodata)}"], []


def _answer(
    rt: Runtime,
    held: Held,
    said: list[str],
    failed: list[str],
    *,
    before: str | None,
    new: bool = False,
) -> dict[str, Any]:
    with rt.ledger.read() as session:
        goal = session.get_one(Goal, held.errand.goal_id)
    return {
        "feed": held.errand.params["name"],
        "goal_id": goal.id,
        "new": new,
        "before": before,
        "now": goal.autodata,
        "said": said,
        "failed": failed,
    }


def _source(rt: Runtime, held: Held) -> Source:
    with rt.ledger.read() as session:
        source = session.get(Source, held.errand.source_id or 0)
    if source is None or source.user_id != held.errand.user_id:
        message = "the source is not there any more: choose another one"
        raise NothingThereError(message)
    return source


def _feeds(rt: Runtime, held: Held) -> list[Named]:
    with rt.ledger.read() as session:
        found = linking_draft.of_goal(
            session, held.errand.goal_id or 0, held.errand.params.get("label")
        )
    if not found or found[0].user.id != held.errand.user_id:
        message = "the feed is not there any more"
        raise NothingThereError(message)
    return found


def _still_ours(rt: Runtime, held: Held) -> None:
    """Before anything is changed: somebody else may have come to this errand meanwhile."""
    with rt.ledger.write() as session:
        if not errands.mine(session, held):
            raise FencedError


KINDS: Mapping[ErrandKind, Callable[[Runtime, Held], dict[str, Any]]] = {
    ErrandKind.GOALS: goals,
    ErrandKind.LOOK: look,
    ErrandKind.CHECK: check,
    ErrandKind.PREVIEW: preview,
    ErrandKind.LINK: link,
    ErrandKind.UNLINK: unlink,
    ErrandKind.MANUAL: manual,
    ErrandKind.UNDO: unlink,
    ErrandKind.LEAVE: leave,
}
