"""What is wrong, the worst first, each with the one thing to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass

from db.standing import Standing

LATE_SECONDS = 60.0  # as for /readyz


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One trouble. `bad`: work stands still or is lost to its owner until somebody acts."""

    text: str
    remedy: str
    bad: bool = True
    path: str | None = None
    link: str = ""


def troubles(now: Standing, broker: str) -> list[Trouble]:
    """What an operator should know of these figures; `broker` is `ok` or what is wrong with it."""
    return [*_stands_still(now, broker), *_to_mend(now), *_waits(now)]


def _stands_still(now: Standing, broker: str) -> Iterator[Trouble]:
    if broker != "ok":
        yield Trouble(
            text=f"The broker: {broker}.",
            remedy="See that it runs and that BROKER_URL is right. Callbacks are still stored.",
        )
    if not now.workers:
        yield Trouble(text="No worker runs: nothing is synced.", remedy="Start one: waggle worker.")
    elif now.oldest_due > LATE_SECONDS:
        yield Trouble(
            text=f"Work has been due for {now.oldest_due:.0f} s and nobody does it.",
            remedy="More workers, or more --slots.",
            path="/operator/workers",
            link="Workers",
        )


def _to_mend(now: Standing) -> Iterator[Trouble]:
    if now.set_aside:
        yield Trouble(
            text=f"{_many(now.set_aside, 'feed')} killed a worker again and again.",
            remedy="Find out why, then resume:",
            path="/operator/tables/feed/list?state=failing",
            link="feeds that fail",
        )
    if now.links or now.logins:
        yield Trouble(
            text=f"{_many(now.links + now.logins, 'refused login')}.",
            remedy="The owners have to connect again:",
            path="/operator/people?state=reauthorize",
            link="who",
        )
    for state, words in (("dead", "given up"), ("failed", "failed")):
        if now.inbox[state]:
            yield Trouble(
                text=f"{_many(now.inbox[state], 'event')} {words} since yesterday.",
                remedy="Mend the cause, then replay:",
                path=f"/operator/inbox?state={state}&age=day",
                link="show them",
            )
    if now.outbox["rejected"]:
        yield Trouble(
            text=f"{_many(now.outbox['rejected'], 'datapoint')} refused by Beeminder.",
            remedy="The reasons say what to do:",
            path="/operator/outbox?state=rejected",
            link="show them",
        )


def _waits(now: Standing) -> Iterator[Trouble]:
    if now.breakers:
        yield Trouble(
            text=f"{_many(now.breakers, 'source or link', 'sources or links')} without an answer.",
            remedy="See that they run and can be reached:",
            bad=False,
            path="/operator/gates",
            link="which",
        )
    if now.gates:
        yield Trouble(
            text=f"{_many(now.gates, 'closed gate')}.",
            remedy="Wait; they open by themselves:",
            bad=False,
            path="/operator/gates",
            link="until when",
        )
    if now.suspects:
        yield Trouble(
            text=f"{_many(now.suspects, 'suspect')}: at work when a worker died, tried alone now.",
            remedy="Wait: what kills its worker is set aside soon.",
            bad=False,
        )


def _many(count: int, one: str, several: str | None = None) -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"
