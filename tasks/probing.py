"""What Beeminder's pages do not say, found out on a goal that may be thrown away.

Each step writes a few datapoints of its own and looks at what comes back. What it could not find
out stays unknown, with the reason. Nothing in an answer names the person, the goal or a token.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import clients
from clients.beeminder_probe import BeeminderProbe
from clients.errors import ClientError
from db.models import User
from db.vault import VaultError
from tasks import probing_batches
from tasks.beeminder import OAUTH, gate_of
from tasks.gates import DeferredError
from tasks.probing_answers import Answer, Asked
from tasks.runtime import Runtime, UnreadableSecretError

PREFIX = "probe-"
QUEUED_AT_MOST = 60
LENGTHS = (64, 128, 255)

NOT_ASKED = {
    "autofetch_refused": "what Beeminder does after a 503 shows at a goal that is about to derail",
    "callback_encoding": "`waggle doctor --callback USER/GOAL` shows one that arrives",
    "rotation_deauthorizes": "connect a second time, and look at `waggle events`",
    "rate_limit": "to look for a limit would be to break it",
    "batch_limit": "it would take thousands of datapoints",
    "username_change": "only Beeminder's support changes usernames",
    "callback_url_payload": "Waggle sets no callback_url",
}


class NotThrowAwayError(Exception):
    """The goal is of use to somebody: nothing was written."""


@dataclass(frozen=True, slots=True)
class Step:
    """One question. `answers` are the points that it is about; `does` says what it writes."""

    name: str
    does: str
    ask: Callable[[Asked], dict[str, Answer]]


@dataclass(slots=True)
class Profile:
    """What was found out, by point, and the same as settings of the simulator."""

    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def unknowns(self) -> dict[str, Any]:
        """The answers that the simulator has a setting for (`simulators.beeminder_unknowns`)."""
        return {
            name: answer.value
            for name, answer in self.answers.items()
            if answer.simulated and answer.value is not None
        }


def prepared(rt: Runtime, user: User, slug: str) -> Asked:
    """A probe of this goal. Raises `NotThrowAwayError`, the tree of `clients.errors`."""
    try:
        token = rt.vault.decrypt(user.token_cipher or "")
    except VaultError as error:
        raise UnreadableSecretError(str(error)) from None

    def client(value: str) -> BeeminderProbe:
        return BeeminderProbe(
            http=rt.http,
            base_url=rt.options.beeminder_url,
            gate=gate_of(rt, user),
            token=clients.Token("oauth" if user.token_kind == OAUTH else "personal", value),
        )

    asked = Asked(
        probe=client(token),
        stranger=client("0" * len(token)),
        goal=f"users/me/goals/{slug}",
        names=(user.username, slug, token),
        sleep=rt.clock.sleep,
        prefix=f"{PREFIX}{secrets.token_hex(4)}",
        app_name=rt.options.app_name,
    )
    _refuse(asked, slug)
    return asked


def _refuse(asked: Asked, slug: str) -> None:
    goal = asked.hear("GET", asked.goal)
    if goal.status != 200 or not isinstance(goal.body, dict):  # noqa: PLR2004 -- HTTP
        raise NotThrowAwayError(f"there is no goal {slug!r}: make a new one at Beeminder")
    pledge = goal.body.get("pledge")
    if pledge != 0:
        raise NotThrowAwayError(
            f"there is money on {slug} (pledge {pledge}): make a new goal, without any"
        )
    if goal.body.get("autodata"):
        raise NotThrowAwayError(f"{slug} has a data source ({goal.body['autodata']})")
    there = asked.hear("GET", f"{asked.goal}/datapoints").body or []
    strange = [
        point
        for point in there
        if not (point.get("is_initial") or point.get("is_dummy"))
        and not str(point.get("requestid") or "").startswith(PREFIX)
    ]
    if strange:
        raise NotThrowAwayError(f"{slug} has {len(strange)} datapoints that are not ours")


def run(asked: Asked, steps: list[Step], *, began: Callable[[Step], object]) -> Profile:
    """Ask these, and take away what was written, whatever happens on the way."""
    profile = Profile()
    try:
        for step in steps:
            began(step)
            try:
                profile.answers |= step.ask(asked)
            except (ClientError, DeferredError) as error:
                said = asked.redacted(str(error))
                profile.answers[step.name] = Answer(None, f"it could not be asked: {said}")
    finally:
        _clean_up(asked)
    for name, why in NOT_ASKED.items():
        profile.answers[name] = Answer(None, f"not asked: {why}")
    return profile


def _clean_up(asked: Asked) -> None:
    for point in asked.hear("GET", f"{asked.goal}/datapoints").body or []:
        if str(point.get("requestid") or "").startswith(PREFIX):
            asked.hear("DELETE", f"{asked.goal}/datapoints/{point['id']}")


def _dead_token(asked: Asked) -> dict[str, Answer]:
    heard = asked.stranger.hear("GET", "users/me")
    return {"dead_token_status": Answer(heard.status, asked.shown(heard))}


def _resends(asked: Asked) -> dict[str, Answer]:
    fields = asked.fields("resend")
    asked.write(fields)
    again = asked.write(fields)
    value = "refused" if again.status >= 400 else "shown"  # noqa: PLR2004 -- HTTP
    return {"resends": Answer(value, asked.shown(again), simulated=True)}


def _compares(asked: Asked) -> dict[str, Answer]:
    """Only one thing differs from what stands: is that an update?"""
    changes = {"value": 2.0, "comment": "waggle probe, changed", "timestamp": 1_700_000_060}
    seen, evidence = [], []
    for name, changed in changes.items():
        fields = asked.fields(f"compare-{name}") | {"timestamp": 1_700_000_000}
        asked.write(fields)
        heard = asked.write(fields | {name: changed})
        updated = isinstance(heard.body, dict) and heard.body.get("status") == "updated"
        seen += [name] if updated else []
        evidence.append(f"{name}: {heard.status}")
    return {"compares": Answer(seen, "; ".join(evidence), simulated=True)}


def _reuses(asked: Asked) -> dict[str, Answer]:
    fields = asked.fields("reuse")
    made = asked.write(fields).body["id"]
    asked.hear("DELETE", f"{asked.goal}/datapoints/{made}")
    again = asked.write(fields)
    there = asked.find(fields["requestid"])
    return {"reuses_requestids": Answer(there is not None, asked.shown(again), simulated=True)}


def _queue(asked: Asked) -> dict[str, Answer]:
    asked.write(asked.fields("queue"))
    for seconds in range(QUEUED_AT_MOST + 1):
        if not (asked.hear("GET", asked.goal).body or {}).get("queued"):
            said = f"not queued any more after {seconds} s"
            return {"queue_seconds": Answer(float(seconds), said, simulated=True)}
        asked.sleep(1.0)
    return {"queue_seconds": Answer(None, f"still queued after {QUEUED_AT_MOST} s")}


def _requestids(asked: Asked) -> dict[str, Answer]:
    kept = []
    for length in LENGTHS:
        name = asked.fields(f"long{length}-")["requestid"].ljust(length, "x")
        asked.write(asked.fields("") | {"requestid": name})
        kept += [length] if asked.find(name) is not None else []
    odd = asked.fields("a.b_c:d~e")["requestid"]
    asked.write(asked.fields("") | {"requestid": odd})
    as_sent = "as sent" if asked.find(odd) is not None else "changed or refused"
    return {
        "requestid_length": Answer(
            max(kept, default=None), f"of {LENGTHS} these came back as sent: {kept}"
        ),
        "requestid_characters": Answer(as_sent, "'.', '_', ':' and '~'"),
    }


def _origin(asked: Asked) -> dict[str, Answer]:
    fields = asked.fields("origin")
    asked.write(fields)
    point = asked.find(fields["requestid"]) or {}
    return {"origin": Answer(asked.redacted(str(point.get("origin"))), "of a datapoint of ours")}


def _refreshes(asked: Asked) -> dict[str, Answer]:
    heard = asked.hear("GET", f"{asked.goal}/refresh_graph")
    return {"refreshes": Answer(heard.body is True, asked.shown(heard), simulated=True)}


def _datasource(asked: Asked) -> dict[str, Answer]:
    if not asked.app_name:
        return {"autodata": Answer(None, "no app is registered (WAGGLE_BEEMINDER_APP_NAME)")}
    found = {}
    try:
        for point, name in (
            ("autodata", asked.app_name),
            ("autodata_other_case", asked.app_name.swapcase()),
        ):
            heard = asked.hear("PUT", asked.goal, {"datasource": name})
            body = heard.body if isinstance(heard.body, dict) else {}
            as_named = body.get("autodata") == asked.app_name
            found[point] = Answer(
                "the app's name" if as_named else asked.redacted(str(body.get("autodata"))),
                f"{heard.status}",
            )
    finally:
        asked.hear("PUT", asked.goal, {"datasource": ""})
    return found


STEPS = (
    Step("dead_token", "asks once with a token that nobody has", _dead_token),
    Step("resends", "writes a datapoint twice", _resends),
    Step("compares", "writes three datapoints and changes one thing of each", _compares),
    Step("batches", "writes batches of two with one that is wrong", probing_batches.ask),
    Step("reuses", "writes a datapoint, deletes it, and writes it again", _reuses),
    Step("queue", "writes a datapoint and looks at the goal until it is worked off", _queue),
    Step("requestids", "writes four datapoints with long and odd ids", _requestids),
    Step("origin", "writes a datapoint and reads it", _origin),
    Step("refreshes", "asks once for the graph to be drawn anew", _refreshes),
    Step("datasource", "makes the app the goal's data source, and gives it back", _datasource),
)
