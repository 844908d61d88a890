"""Promises about limits: every request passes the gate, and a closed one is obeyed."""

from collections.abc import Iterator

from clients.errors import Transient
from worker.kit.gate import CountingGate, Shut
from worker.kit.promises import promise, told
from worker.kit.stage import Scene, Stage, Told
from worker.kit.vendor import Trouble
from worker.kit.verdicts import outcome

GIVE_THE_GATE = "give `link.gate` to clients.http.ApiClient: it asks it before each request"


@promise(GIVE_THE_GATE)
def the_gate_is_passed(stage: Stage) -> Iterator[str]:
    """Each HTTP request passes the gate once, by the client that the provider was given."""
    for trouble in (None, Trouble(name="a reset", fault={"action": "reset"})):
        stage.vendor.be(trouble, at=1)
        with stage.scene() as scene:
            scene.read(*(stage.request(feed, key=n) for n, feed in enumerate(stage.trial.feeds)))
            yield from _uncounted(stage, scene)


@promise(GIVE_THE_GATE + ", and tells it what was refused")
def refusals_close_the_gate(stage: Stage) -> Iterator[str]:
    """A limit is told to the gate with its time, and nothing more is asked."""
    limited = stage.trial.limited
    fault = {"status": limited.status, "headers": dict(limited.headers), "body": limited.body}
    if limited.body is None:
        fault["body"] = {"message": "too many requests"}
    trouble = Trouble(name="a limit", fault=fault)
    for feed in stage.trial.feeds:
        for step in range(stage.steps(feed)):
            stage.vendor.be(trouble, at=step)
            with stage.scene() as scene:
                result = scene.read(stage.request(feed, key=0), stage.request(feed, key=1))
                yield from _untold(scene.gate, step)
                more = len(stage.vendor.requests) - (step + 1)
                if more > 0:
                    yield f"{more} more requests after the one that was refused"
                yield from _not_as_it_is(result, 0)
                yield from _not_as_it_is(result, 1)


@promise("let ClosedError pass as it is, or answer it; no request meanwhile")
def a_closed_gate_is_obeyed(stage: Stage) -> Iterator[str]:
    """While the gate is closed nothing is asked, and its exception comes back as it is."""
    with stage.scene(shut=True) as scene:
        feeds = stage.trial.feeds
        result = scene.read(*(stage.request(feed, key=n) for n, feed in enumerate(feeds)))
        if stage.vendor.requests:
            yield f"{len(stage.vendor.requests)} requests while the gate is closed"
        for key in range(len(feeds)):
            yield from _not_as_it_is(result, key)


def _uncounted(stage: Stage, scene: Scene) -> Iterator[str]:
    seen, gate = len(stage.vendor.requests), scene.gate
    if not seen:
        yield "nothing was asked at all"
    if seen != gate.passes:
        yield f"{seen} requests came to the vendor, {gate.passes} passed the gate"
    if seen != len(scene.wire.urls):
        yield f"{seen} requests came to the vendor, {len(scene.wire.urls)} by `link.http`"
    if gate.ended != gate.passes:
        yield f"the gate was told the end of {gate.ended} of {gate.passes} requests"


def _untold(gate: CountingGate, step: int) -> Iterator[str]:
    if not gate.refusals:
        yield f"the gate was not told that request {step + 1} was refused"
    for error, said in gate.refusals:
        if not isinstance(error, Transient):
            yield f"the gate was told {told(error)}, which is not Transient"
        elif not (error.retry_after or said.wait):
            yield "the gate was told of no time, and the vendor names one"


def _not_as_it_is(result: Told, key: int) -> Iterator[str]:
    answer = outcome(result, key)
    if isinstance(answer, Shut):
        return
    if isinstance(answer, BaseException):
        yield f"instead of the gate's exception there is {told(answer)}"
    else:
        yield f"instead of the gate's exception there is {type(answer).__name__}"


PROMISES = (the_gate_is_passed, refusals_close_the_gate, a_closed_gate_is_obeyed)
