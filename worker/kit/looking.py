"""The promise about looking around at the source, where a provider offers it."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from tasks.providers import Found
from worker.kit import troubles
from worker.kit.gate import Shut
from worker.kit.promises import promise
from worker.kit.stage import Scene, Stage, Told
from worker.kit.verdicts import wrong_error


@promise("see tasks.providers.Looks: one page of each list, errors of clients.errors")
def looking_around_is_safe(stage: Stage) -> Iterator[str]:
    """`look()`, where there is one, lists ids as they stand in the file, by the same rules."""
    with stage.scene() as scene:
        result = scene.look()
        if result.raised is None and result.value is None:
            return  # it does not offer it
        yield from _odd(result)
        if len(stage.vendor.requests) != scene.gate.passes:
            yield "not each of its requests passes the gate"
        steps = len(stage.vendor.requests)
        lists = {
            step: reply.body.lstrip()[:1] for step, reply in enumerate(stage.vendor.bending.kept)
        }
    for step in range(steps):
        # A slow answer is never refused: all of them at once will do.
        slow = [troubles.slow()] if step == 0 else []
        for trouble in chain(
            troubles.statuses(), troubles.broken_lines(), troubles.garbled(), slow
        ):
            if trouble.said[:1].encode() == lists.get(step):
                continue
            for result in stage.troubled(trouble, step, Scene.look):
                if result.raised is not None:
                    problems: Iterable[str] = wrong_error(result.raised, trouble)
                else:
                    problems = _odd(result)
                for problem in problems:
                    yield f"{trouble.name} at request {step + 1}: {problem}"
    stage.vendor.be()
    with stage.scene(shut=True) as scene:
        result = scene.look()
        if stage.vendor.requests or not isinstance(result.raised, Shut):
            yield "it does not obey a closed gate"


def _odd(result: Told) -> Iterator[str]:
    if result.raised is not None:
        yield f"raises {type(result.raised).__name__}: {result.raised}"
        return
    rows: list[Any] = result.value
    for row in rows:
        if not isinstance(row, Found):
            yield f"gives {type(row).__name__}, not Found"
        elif type(row.id) is not str or row.id == "":
            yield f"{row.kind}: the id {row.id!r} is no text"
        elif not row.kind:
            yield f"{row.id}: of no kind"


PROMISES = (looking_around_is_safe,)
