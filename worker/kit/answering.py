"""Promises about what is read while all is well."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence

from clients.errors import ClientError
from tasks.days import Window
from tasks.notebook import MemoryNotebook
from tasks.trial import Feed
from worker.kit import troubles
from worker.kit.promises import promise, told
from worker.kit.stage import HungError, Stage, Told
from worker.kit.verdicts import Asked, outcome, wrong_in_trouble, wrong_values

THREADS = 4


@promise("compare what `read` answers with what the trial expects, day by day")
def values_are_right(stage: Stage) -> Iterator[str]:
    """Every metric answers a finite number or None for each day, as it stands at the vendor."""
    missing = sorted(stage.provider.metrics.keys() - {feed.metric for feed in stage.trial.feeds})
    for name in missing:
        yield f"the trial has no feed of metric {name}"
    yield from _wrong(stage, stage.trial.days)


@promise("look each day up by itself: days may be one, many, with gaps and in any order")
def days_stand_alone(stage: Stage) -> Iterator[str]:
    """A day has the same value asked alone, backwards, or with days left out between."""
    days = stage.trial.days
    for some in [days[::-1], days[:1] + days[-1:], *((day,) for day in days)]:
        yield from _wrong(stage, some)


@promise("answer each request by itself: `tasks.providers.one_by_one` does")
def neighbours_are_spared(stage: Stage) -> Iterator[str]:
    """A feed that is not there fails alone, wherever it stands among the others."""
    absent, feeds = stage.trial.absent, list(stage.trial.feeds)
    if absent is None:
        yield from _spared_by_what_is_taken(stage)
        return
    for place in {0, len(feeds) // 2, len(feeds)}:
        mixed = [*feeds[:place], absent, *feeds[place:]]
        with stage.scene() as scene:
            result = scene.read(*(stage.request(feed, key=n) for n, feed in enumerate(mixed)))
        if result.raised is not None:
            yield f"one feed that is not there fails all: {told(result.raised)}"
            return
        for key, feed in enumerate(mixed):
            answer = outcome(result, key)
            if feed is not absent:
                yield from _named(feed.metric, wrong_values(stage, answer, Asked(feed, key)))
            elif not isinstance(answer, ClientError):
                yield f"{feed.metric}: {answer!r} where an error is due, it is not there"
        yield from _strangers(result, len(mixed))


@promise("what is remembered, also in the notebook, must not change what is answered")
def again_is_the_same(stage: Stage) -> Iterator[str]:
    """The same question has the same answer the second time, and after a restart."""
    notebook = MemoryNotebook()
    for _ in range(2):
        with stage.scene(notebook=notebook) as scene:
            for _ in range(2):
                for feed in stage.trial.feeds:
                    answer = outcome(scene.read(stage.request(feed)))
                    yield from _named(feed.metric, wrong_values(stage, answer, Asked(feed)))


@promise("keep nothing of one question where another can change it")
def threads_do_not_mix(stage: Stage) -> Iterator[str]:
    """A connection is used by many threads at once, and each has its own answers."""
    results: list[Told] = []
    with stage.scene() as scene:
        scene.read(stage.request(stage.trial.feeds[0]))
        requests = [stage.request(feed, key=n) for n, feed in enumerate(stage.trial.feeds)]

        def ask() -> None:
            with contextlib.suppress(HungError):  # then there is one result less
                results.append(scene.read(*requests))

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()  # each question ends, or is given up
    if len(results) < THREADS:
        yield "some threads do not come back"
    for result in results:
        for key, feed in enumerate(stage.trial.feeds):
            answer = outcome(result, key)
            yield from _named(feed.metric, wrong_values(stage, answer, Asked(feed, key)))


def _spared_by_what_is_taken(stage: Stage) -> Iterator[str]:
    """Of a vendor that has all that can be named, what some of the feeds ask for is taken away."""
    feeds = stage.trial.feeds
    places = [_places(stage, feed) for feed in feeds]
    some = sorted(set().union(*places) - set(places[0]).intersection(*places[1:]))
    if not some:
        yield "the trial names no feed that the vendor does not have (`absent`)"
    for place in some:
        gone = troubles.taking_away(*place)
        stage.vendor.be(gone)
        with stage.scene() as scene:
            result = scene.read(*(stage.request(feed, key=n) for n, feed in enumerate(feeds)))
        for key, feed in enumerate(feeds):
            asked = Asked(feed, key)
            if place in places[key]:
                problems = wrong_in_trouble(stage, result, asked, gone)
            else:
                problems = wrong_values(stage, outcome(result, key), asked)
            yield from (f"{feed.metric}, {gone.name}: {problem}" for problem in problems)


def _places(stage: Stage, feed: Feed) -> set[tuple[str, str]]:
    """The paths and queries that a feed asks for, but for logins."""
    steps = stage.steps(feed)
    return {
        (reply.path, reply.query)
        for reply in stage.vendor.bending.kept[:steps]
        if reply.path not in stage.trial.logins
    }


def _wrong(stage: Stage, days: Sequence[Window]) -> Iterator[str]:
    feeds = stage.trial.feeds
    with stage.scene() as scene:
        result = scene.read(*(stage.request(f, key=n, days=days) for n, f in enumerate(feeds)))
    stamps = tuple(day.daystamp for day in days)
    for key, feed in enumerate(feeds):
        problems = wrong_values(stage, outcome(result, key), Asked(feed, key, stamps))
        yield from _named(feed.metric, problems)
    yield from _strangers(result, len(feeds))


def _strangers(result: Told, count: int) -> Iterator[str]:
    if isinstance(result.value, Mapping) and set(result.value) - set(range(count)):
        yield "an answer under a key that was not asked for"


def _named(metric: str, problems: Iterator[str]) -> Iterator[str]:
    for problem in problems:
        yield f"{metric}: {problem}"


PROMISES = (
    values_are_right,
    days_stand_alone,
    neighbours_are_spared,
    again_is_the_same,
    threads_do_not_mix,
)
