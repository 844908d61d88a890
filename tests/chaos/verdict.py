"""What a run comes to: every promise, and what broke it."""

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos import judgement
from tests.chaos.hands import Done
from tests.chaos.judgement import Span
from tests.chaos.record import LedgerRead, Record
from tests.chaos.scene import Scene

HEARD_SECONDS = 1.0  # from an answer on the wire to its time in the ledger, on a busy machine
LONGEST_WAIT = 5.0  # seconds; no answer here names a later time
SHOWN = 8  # sentences of each promise


@dataclass(slots=True)
class Verdict:
    """What broke, by promise; and what happened, in words."""

    broken: dict[str, list[str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Is every promise kept?"""
        return not any(self.broken.values())

    def __str__(self) -> str:
        lines = list(self.told)
        for promise, sentences in self.broken.items():
            lines.append(f"{'BROKEN' if sentences else 'held  '}  {promise}")
            lines += [f"          {sentence}" for sentence in sentences[:SHOWN]]
            if len(sentences) > SHOWN:
                lines.append(f"          and {len(sentences) - SHOWN} more")
        return "\n".join(lines)


def judge(scene: Scene, left: dict[str, int], late: list[str]) -> Verdict:
    """All promises, by what a run has left. `left` is not done, `late` did not end in time."""
    goals, beeminder = scene.scenery.goals, scene.scenery.sims.beeminder.state
    histories = {goal.name: beeminder.changes(goal.username, goal.slug) for goal in goals}
    made, started = scene.callers.made, scene.scenery.runs()
    ledger, record = LedgerRead(scene.ledger_url), Record()
    with contextlib.closing(ledger):
        events = ledger.rows("SELECT id, state, error FROM event WHERE kind = 'autofetch'")
        runs = ledger.rows("SELECT run_id, state, rows, finished_at FROM run")
        record.kept["the ledger"] = ledger.everything()
    record.read(scene.folder, scene.home)
    served = {
        number: scene.keeper.served(callback.sent, callback.ended)
        for number, callback in enumerate(made)
        if callback.status is None
    }
    secrets = scene.scenery.secrets
    verdict = Verdict(
        {
            "Beeminder holds what the sources say": [
                sentence
                for goal in goals
                for sentence in judgement.equal(
                    goal.name,
                    [meter.days() for meter in goal.meters],
                    beeminder.datapoints(goal.username, goal.slug),
                )
            ],
            "nothing was there twice": [
                sentence
                for goal in goals
                for sentence in judgement.never_twice(
                    goal.name, len(goal.meters), histories[goal.name]
                )
            ],
            "every surviving callback was answered": list(judgement.answered(made, served)),
            "a 200 meant fresh": list(judgement.fresh(made, histories)),
            "no request in a closed window": list(
                judgement.early(
                    scene.weather.told,
                    scene.weather.arrivals,
                    unheard=[span for done in scene.hands.done for span in unheard(done)],
                    late=[span for done in scene.hands.done for span in on_its_way(done)],
                    when=lambda at: told_when(scene.hands.done, at),
                )
            ),
            "every run was followed to its end": list(judgement.followed(runs, started)),
            "every event ended": [
                *(f"{count} {name} unfinished" for name, count in left.items()),
                *judgement.ended(events, sum(callback.is_stored for callback in made)),
            ],
            "no traceback": list(judgement.quiet_logs(record.logs)),
            "no secret outside its row": list(
                judgement.no_secrets(record.logs | record.kept, secrets)
            ),
            "every process lives and ends as it should": [
                *judgement.lived(scene.keeper.lives, without_a_ledger(scene.hands.done)),
                *(f"{name} did not end on SIGTERM" for name in late),
            ],
        }
    )
    counts = Counter(callback.said or callback.error for callback in made)
    answers = sum(callback.status is not None for callback in made)
    deaf = [span for done in scene.hands.done for span in unheard(done)]
    heard = sum(not judgement.within(told, deaf) for told in scene.weather.told)
    verdict.told = [
        f"{answers} of {len(made)} callbacks were answered: "
        + ", ".join(f"{n} {name}" for name, n in counts.items()),
        f"{scene.weather.calls} calls to vendors, {sum(scene.weather.broken.values())} broken: "
        + ", ".join(f"{n} {name}" for name, n in sorted(scene.weather.broken.items())),
        f"{len(scene.keeper.lives)} processes, {len(started)} runs",
        f"told to wait {len(scene.weather.told)} times, {heard} where it could be written down",
    ]
    return verdict


def without_a_ledger(done: Sequence[Done]) -> list[tuple[float, float]]:
    """When a process that starts may find no ledger; on the monotonic clock."""
    ago = time.time() - time.monotonic()
    return [
        (one.began - ago, one.ended - ago) for one in done if one.fault.whom in ("database", "disk")
    ]


def told_when(done: Sequence[Done], at: float) -> str:
    """Where in the story that is, for whoever has to find out why."""
    before = [one for one in done if one.began <= at]
    if not before:
        return "before any trouble"
    last = max(before, key=lambda one: one.began)
    name = f"{last.fault.what} {last.fault.whom}"
    if at < last.ended:
        return f"{at - last.began:.2f} s into {name}"
    return f"{at - last.ended:.2f} s after {name}"


def unheard(done: Done) -> list[Span]:
    """When what an answer said could not come into the ledger."""
    fault, before = done.fault, HEARD_SECONDS
    if fault.whom in ("worker", "progress", "database", "disk", "vendors") and fault.what != "jump":
        return [Span(done.began - before, done.ended + before, _asked_by(fault.whom))]
    if fault.what == "jump" and done.whom == "clock":
        # Who starts goes by the new time at once, who runs looks at it once a minute. What is
        # closed meanwhile by those who are late opens early by the difference for the others,
        # whichever way the clock was set (see `db.clock`).
        return [Span(done.began - LONGEST_WAIT, done.ended + 60.0 + before)]
    return []


def on_its_way(done: Done) -> list[Span]:
    """When requests arrive that left before: they were held up with their process or link."""
    if done.fault.whom in ("worker", "progress", "vendors") and done.fault.lasts:
        return [Span(done.began, done.ended + 2.0, _asked_by(done.fault.whom))]
    return []


def _asked_by(whom: str) -> str:
    """Who follows runs asks nobody else for anything."""
    return "rime" if whom == "progress" else ""
