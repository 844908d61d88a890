"""Being the data source of a goal at Beeminder: whether we should be, and what to say if not.

Beeminder calls an app only for goals whose `datasource` is that app, and a goal has one of them:
setting ours ends another one, and while one is set Beeminder's own apps hide manual entry. So ours
is set without asking only where nothing else feeds the goal, what was there is remembered, and what
a person changes afterwards is their choice until they say `waggle link`. Nothing is called here:
what is decided is a wish in the ledger, for `tasks.datasource_change`.
"""

from dataclasses import dataclass

from sqlmodel import Session

from db import datasources, notices, tries
from db.models import Goal, User
from tasks.runtime import Runtime

KIND = "datasource"
REFUSED = "refused"  # the key of a notice about us; the others are named by the source in the way

# Nothing fetches for these: "" is a person's hands, "api" says that points come by the API, which
# they may whatever the data source is. https://api.beeminder.com/#putgoal
FREE = frozenset({"", "api"})
RED_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Objection:
    """Why we are not made the source: `key` is the source in the way, `message` is for a person."""

    key: str
    message: str


def same(one: str | None, other: str | None) -> bool:
    """Do both name one source? Which case Beeminder gives an app's name in is not documented."""
    return (one or "").lower() == (other or "").lower()


def is_free(autodata: str | None) -> bool:
    """Would nothing be replaced?"""
    return (autodata or "").lower() in FREE


def shown(source: str | None) -> str:
    """A data source in words."""
    return repr(source) if source else "manual entry"


def plan(goal: Goal, *, wanted: bool, app_name: str | None, now: float) -> str | None:
    """What to set as the goal's data source, without asking anybody; None: nothing new.

    `wanted`: `datasources.wanted`. After a refusal nothing is planned for a day, after it killed
    its worker too often not before a person asks.
    """
    if not wanted or not app_name or goal.datasource_want is not None:
        return None
    if same(goal.autodata, app_name) or not is_free(goal.autodata):
        return None
    if goal.datasource_before is not None:
        return None  # we were set, and a person has changed it
    if goal.datasource_tries == tries.GIVEN_UP:
        return None
    if goal.datasource_error is not None and now < goal.datasource_due_at:
        return None
    return app_name


def objection(goal: Goal, *, wanted: bool, app_name: str | None, name: str) -> Objection | None:
    """What a person should know when we are not made the source; `name` is USER/GOAL."""
    if not wanted or not app_name or goal.datasource_want is not None:
        return None
    if same(goal.autodata, app_name):
        return None
    now_there = shown(goal.autodata)
    keeps = '`datasource = "keep"` in the file leaves it so'
    if goal.datasource_before is not None:
        message = (
            f"the data source of {name} is {now_there} now and not Waggle, so Beeminder does not "
            f"ask Waggle before it acts: somebody chose that, or Beeminder shows Waggle under "
            f"another name. `waggle link {name}` makes Waggle the source again; {keeps}"
        )
    elif is_free(goal.autodata):
        return None
    else:
        message = (
            f"{name} is fed by {now_there}, so Beeminder does not ask Waggle before it acts. "
            f"`waggle link {name}` would replace {now_there} by Waggle; {keeps}"
        )
    return Objection((goal.autodata or "").lower(), message)


def offer(goal: Goal, now: float, *, name: str) -> str:
    """The way back to manual entry, for a feed that fails on a red day; "" where there is no need.

    `name`: USER/GOAL.
    """
    red = (goal.safebuf is not None and goal.safebuf <= 0) or (
        goal.losedate is not None and goal.losedate - now < RED_SECONDS
    )
    if not red or is_free(goal.autodata):
        return ""
    return (
        f"Beeminder's own apps hide manual entry while {shown(goal.autodata)} is the goal's data "
        f"source: `waggle manual {name}` brings it back"
    )


def consider(rt: Runtime, goal_id: int) -> None:
    """After a goal's facts were read: plan to become its source, or say why not. No request."""
    app_name = rt.options.app_name
    if not app_name:
        return
    now, subject = rt.clock.now(), f"goal:{goal_id}"
    with rt.ledger.read() as session:
        goal = session.get_one(Goal, goal_id)
        name = f"{session.get_one(User, goal.user_id).username}/{goal.slug}"
        wanted = datasources.wanted(session, goal_id)
        told = datasources.open_notices(session, subject, KIND)
    ours = same(goal.autodata, app_name)
    want = plan(goal, wanted=wanted, app_name=app_name, now=now)
    why_not = objection(goal, wanted=wanted, app_name=app_name, name=name)
    # A lost ledger, or somebody set us by hand: what was there before can't be known.
    adopt = wanted and ours and goal.datasource_before is None
    holds = {why_not.key} if why_not else set()
    over = told - holds - (set() if ours else {REFUSED})
    if want is None and not adopt and not over and holds <= told:
        return
    with rt.ledger.write() as session:
        if want is not None:
            datasources.ask(session, goal_id, want, due_at=now)
        if adopt:
            datasources.remember(session, goal_id, "")
        for key in over:
            notices.clear(session, subject=subject, kind=KIND, now=now, key=key)
        if why_not:
            tell(session, goal, why_not, now)


def tell(session: Session, goal: Goal, said: Objection, now: float) -> None:
    """Say it to the goal's owner, once."""
    notices.raise_(
        session,
        user_id=goal.user_id,
        subject=f"goal:{goal.id}",
        kind=KIND,
        key=said.key,
        message=said.message,
        now=now,
    )
