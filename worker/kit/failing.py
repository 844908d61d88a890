"""Promises about a vendor in trouble: what comes is an error of ours, or what is right.

Trouble starts at each of the requests that a feed takes, the login included.
"""

import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from tasks.trial import Feed, Trial
from worker.kit import members, troubles
from worker.kit.bending import Reply
from worker.kit.promises import promise
from worker.kit.stage import HURRY, HungError, Scene, Stage, Told
from worker.kit.vendor import Trouble, Vendor
from worker.kit.verdicts import Asked, wrong_in_trouble


@promise("ask by clients.http.ApiClient, and let what it raises pass")
def refusals_are_errors(stage: Stage) -> Iterator[str]:
    """Each status that says no is an error of clients.errors, and says right what to do."""
    yield from _in_each(stage, troubles.statuses())


@promise("ask by clients.http.ApiClient, and let what it raises pass")
def lost_answers_are_errors(stage: Stage) -> Iterator[str]:
    """A connection that breaks is worth another try, and never a value."""
    yield from _in_each(stage, troubles.broken_lines())


@promise("check the whole shape: `answer.parsed` with a model, else `raise answer.unexpected(…)`")
def odd_answers_are_errors(stage: Stage) -> Iterator[str]:
    """What does not have the documented shape is an error, never a zero."""
    yield from _in_each(stage, troubles.garbled())


@promise("no defaults for what the vendor always sends: what is missing is an error, not a zero")
def missing_members_are_errors(stage: Stage) -> Iterator[str]:
    """An answer without one of its members gives an error or the same value, never another one."""
    for feed in stage.trial.feeds:
        steps = stage.steps(feed)
        for step, reply in enumerate(list(stage.vendor.bending.kept[:steps])):
            for how, body in members.without_each(reply.body, stage.trial.rows):
                trouble = Trouble(name=f"{reply.path} {how}", change=troubles.saying(body))
                stage.vendor.be(trouble, at=step, once=True)
                with stage.scene() as scene:
                    result = scene.read(stage.request(feed))
                for problem in wrong_in_trouble(stage, result, Asked(feed), trouble):
                    yield f"{feed.metric}, {trouble.name}: {problem}"


@promise("a deadline of some seconds is for the whole answer; a slow one within it is an answer")
def slow_answers_are_answers(stage: Stage) -> Iterator[str]:
    """A body that comes in parts is read to its end."""
    trouble = troubles.slow()
    for feed in stage.trial.feeds:
        stage.vendor.be(trouble)  # every answer of a question at once: none is refused
        with stage.scene() as scene:
            result = scene.read(stage.request(feed))
        for problem in wrong_in_trouble(stage, result, Asked(feed), trouble):
            yield f"{feed.metric}, {trouble.name}: {problem}"


@promise("ask by clients.http.ApiClient, or with a time limit for the whole of each request")
def nothing_hangs(stage: Stage) -> Iterator[str]:
    """A vendor that is silent, or never stops, ends with an error in time."""
    feed = stage.trial.feeds[0]
    steps = range(stage.steps(feed))
    turns = [(trouble, step) for trouble in troubles.never_ending() for step in steps]

    def waited(turn: tuple[Trouble, int]) -> list[str]:
        trouble, step = turn
        with Vendor(stage.trial) as vendor:
            vendor.be(trouble, at=step)
            own = Stage(stage.provider, stage.trial, vendor, patience=stage.patience)
            try:
                with own.scene(hurry=HURRY) as scene:
                    result = scene.read(own.request(feed))
            except HungError as error:
                return [f"{trouble.name} at request {step + 1}: {error}"]
        found = wrong_in_trouble(stage, result, Asked(feed), trouble)
        return [f"{trouble.name} at request {step + 1}: {problem}" for problem in found]

    # All of them together: each takes a second at least.
    with ThreadPoolExecutor(max_workers=max(1, len(turns))) as pool:
        for problems in pool.map(waited, turns):
            yield from problems


def _in_each(stage: Stage, some: Iterable[Trouble]) -> Iterator[str]:
    """Every feed with every trouble at every one of its requests, once and for good."""
    chosen = list(some)
    for feed in stage.trial.feeds:

        def ask(scene: Scene, feed: Feed = feed) -> Told:
            return scene.read(stage.request(feed))

        steps = stage.steps(feed)
        good = list(stage.vendor.bending.kept[:steps])
        for step in range(steps):
            for trouble in chosen:
                if trouble.said and _is_honest(stage.trial, good[step], trouble.said):
                    continue
                for result in stage.troubled(trouble, step, ask):
                    for problem in wrong_in_trouble(stage, result, Asked(feed), trouble):
                        yield f"{feed.metric}, {trouble.name} at request {step + 1}: {problem}"


def _is_honest(trial: Trial, good: Reply, said: str) -> bool:
    """May the vendor say so where all is well: without any data, or by what the trial names?"""
    for path, honest in trial.honest.items():
        if said in honest and re.fullmatch(path, good.path):
            return True
    try:
        document = json.loads(good.body)
    except ValueError:
        return False
    if said == "[]":
        return isinstance(document, list)
    return said == "{}" and members.all_rows(document, list(trial.rows))


PROMISES = (
    refusals_are_errors,
    lost_answers_are_errors,
    odd_answers_are_errors,
    missing_members_are_errors,
    slow_answers_are_answers,
    nothing_hangs,
)
