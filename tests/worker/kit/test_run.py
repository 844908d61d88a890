"""All promises in a row: a good provider keeps them, a broken one is found by the one it breaks."""

import dataclasses
import threading

import pytest

from tests.worker.kit import breaking
from tests.worker.kit.sample import PROVIDER, TRIAL, played, with_reader
from worker.kit import answering, failing, keeping, limiting, looking, reading_only, run

# Which promise finds which connection, and a word of what it says.
BROKEN = [
    (answering.values_are_right, breaking.OffByOne, "2.0 for 20261118 where 1.0 is due"),
    (answering.values_are_right, breaking.NotFinite, "neither a finite number nor None"),
    (answering.days_stand_alone, breaking.NewestLast, "None for 20261118 where 1.0 is due"),
    (answering.neighbours_are_spared, breaking.AllOrNothing, "fails all"),
    (answering.neighbours_are_spared, breaking.Skips, "where an error is due"),
    (answering.again_is_the_same, breaking.Adds, "2.0 for 20261118 where 1.0 is due"),
    (answering.threads_do_not_mix, breaking.Shares, "99.0 for"),
    (failing.missing_members_are_errors, breaking.SilentZero, "0.0 for 20261118 where 1.0"),
    (failing.refusals_are_errors, breaking.ZeroInTrouble, "0.0 for 20261118 where 1.0"),
    (failing.lost_answers_are_errors, breaking.ZeroInTrouble, "0.0 for 20261118 where 1.0"),
    (failing.missing_members_are_errors, breaking.Traceback, "KeyError: 'days' (breaking.py:"),
    (failing.odd_answers_are_errors, breaking.Traceback, "none of clients.errors"),
    (failing.refusals_are_errors, breaking.ForGood, "has to be Transient"),
    (failing.lost_answers_are_errors, breaking.ForGood, "has to be Transient"),
    (failing.refusals_are_errors, breaking.NoLogin, "has to be AuthFailed"),
    (failing.slow_answers_are_answers, breaking.OffByOne, "where 1.0 is due"),
    (failing.nothing_hangs, breaking.Hangs, "silence at request 1: it does not come back"),
    (failing.nothing_hangs, breaking.LimitOfParts, "a body without end at request 1: it does"),
    (limiting.the_gate_is_passed, breaking.OwnGate, "2 requests came to the vendor, 0 passed"),
    (limiting.the_gate_is_passed, breaking.ByItself, "2 requests came to the vendor, 0 passed"),
    (limiting.the_gate_is_passed, breaking.OwnHttp, "0 by `link.http`"),
    (limiting.the_gate_is_passed, breaking.GateUntold, "the end of 0 of 2 requests"),
    (limiting.refusals_close_the_gate, breaking.OwnGate, "the gate was not told"),
    (limiting.refusals_close_the_gate, breaking.Insists, "more requests after the one"),
    (limiting.refusals_close_the_gate, breaking.Wraps, "there is Unavailable: not now"),
    (limiting.a_closed_gate_is_obeyed, breaking.OwnGate, "requests while the gate is closed"),
    (limiting.a_closed_gate_is_obeyed, breaking.Wraps, "there is Unavailable: not now"),
    (reading_only.nothing_is_written, breaking.Posts, "POST /things/a"),
    (reading_only.redirects_carry_nothing_away, breaking.Follows, "sent on with a credential"),
    (keeping.secrets_are_kept, breaking.TellsKey, "the text of Rejected"),
    (keeping.secrets_are_kept, breaking.ChainsKey, "the ValueError below Rejected"),
    (keeping.secrets_are_kept, breaking.KeyInUrl, "the URL of a request"),
    (keeping.secrets_are_kept, breaking.LogsKey, "a log record"),
    (keeping.secrets_are_kept, breaking.ShowsKey, "the repr of the connection"),
    (looking.looking_around_is_safe, breaking.LooksOddly, "the id 0 is no text"),
    (looking.looking_around_is_safe, breaking.LooksCarelessly, "none of clients.errors"),
    (looking.looking_around_is_safe, breaking.LooksAtRest, "not each of its requests"),
]


def test_a_good_provider_keeps_every_promise() -> None:
    """Nothing is found where nothing is wrong, and each promise has a name of its own."""
    outcomes = list(run.run(PROVIDER, TRIAL))

    assert [outcome for outcome in outcomes if outcome.state != "ok"] == []
    assert [outcome.promise for outcome in outcomes] == [one.name for one in run.PROMISES]
    assert len({one.name for one in run.PROMISES}) == len(run.PROMISES)
    assert all(one.sentence.endswith(".") and one.remedy for one in run.PROMISES)


@pytest.mark.parametrize(
    ("promise", "reader", "says"),
    BROKEN,
    ids=[f"{promise.name}-{reader.__name__}" for promise, reader, _ in BROKEN],
)
def test_a_broken_promise_is_found(promise, reader, says) -> None:
    """Each connection that is wrong in one way is told, with what it did."""
    # Whoever hangs is waited for until patience ends.
    patience = 2.0 if promise is failing.nothing_hangs else 4.0
    outcome = played(promise, with_reader(reader), patience=patience)

    assert outcome.state == "broken"
    assert any(says in problem for problem in outcome.problems), outcome.problems
    assert outcome.remedy


def test_every_promise_with_a_vendor_can_be_broken() -> None:
    """None of them is there for show: something in this file is found by it."""
    found = {promise.name for promise, _, _ in BROKEN}
    with_vendor = {
        one.name
        for one in run.PROMISES
        if one.needs_trial and one.check.__module__ != run.shape.__name__
    }
    assert found == with_vendor


def test_nothing_is_proven_without_a_trial() -> None:
    """What needs a vendor is broken for want of one, with the example named."""
    outcomes = {outcome.promise: outcome for outcome in run.run(PROVIDER, None)}

    assert outcomes["names agree"].state == "ok"
    unproven = outcomes["values are right"]
    assert (unproven.state, unproven.problems) == ("broken", (run.NO_TRIAL,))
    assert "examples/waggle-json" in unproven.remedy
    assert len(outcomes) == len(run.PROMISES)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"settings": lambda url: {"url": url}}, "settings are refused"),
        ({"feeds": []}, "names no feeds"),
        ({"feeds": [dataclasses.replace(TRIAL.feeds[0], metric="x")]}, "no metric x"),
        ({"feeds": [dataclasses.replace(TRIAL.feeds[0], params={})]}, "thing"),
        ({"feeds": [dataclasses.replace(TRIAL.feeds[0], expected={})]}, "nothing is expected"),
    ],
    ids=["settings", "no feeds", "metric", "params", "expected"],
)
def test_a_trial_that_does_not_fit_is_told_once(changed, says) -> None:
    """Not by every promise, each with another symptom of it."""
    outcomes = list(run.run(PROVIDER, dataclasses.replace(TRIAL, **changed)))

    (broken,) = [outcome for outcome in outcomes if outcome.state == "broken"]
    assert broken.promise == "the trial fits"
    assert says in broken.problems[0]


def test_a_hanging_connection_does_not_hold_the_kit_up() -> None:
    """Whoever never comes back is told, and the next promise is tried."""
    outcome = played(answering.values_are_right, with_reader(Endless), patience=0.2)

    assert outcome.problems == (
        "HungError: it does not come back, not within 0.2 s (stage.py:"
        + outcome.problems[0].rpartition(":")[2],
    )


def test_threads_that_hang_are_told() -> None:
    """A connection that only works for one of them ends with a line as well."""
    outcome = played(answering.threads_do_not_mix, with_reader(OneAtATime), patience=0.5)
    assert "some threads do not come back" in outcome.problems


class OneAtATime(breaking.Reader):
    """Waits for another question, which never comes."""

    def __init__(self, link):
        super().__init__(link)
        self.turn, self.asked = threading.Event(), 0

    def read(self, requests):
        """The first one is answered."""
        self.asked += 1
        if self.asked > 1:
            self.turn.wait(5)
        return super().read(requests)


class Endless(breaking.Reader):
    """Asks for ever, since an answer that is an error is asked for again."""

    def readings(self, request):
        """Never comes back."""
        while True:
            self.ask("names")
