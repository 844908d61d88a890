"""What a feed's state is called, and what each decision and each notice comes to, in words."""

import pytest

from db.needs import Need
from tasks import tokens
from webhooks import choices, needed, standing
from webhooks.shown_feeds import Call


@pytest.mark.parametrize(
    ("there", "value", "yaw", "words"),
    [
        (5.0, 7.0, 1, "better"),
        (5.0, 3.0, 1, "worse"),
        (5.0, 7.0, -1, "worse"),
        (5.0, 3.0, -1, "better"),
        (5.0, 0.0, -1, "empties the day"),
        (5.0, 7.0, None, "does not say which way"),
        (5.0, 5.0, 1, "stays as it is"),
        (None, 0.0, 1, "nothing of it is at Beeminder"),
        (0.0, 3.0, 1, "0 → 3"),
    ],
)
def test_approving_says_which_way_the_day_goes(there, value, yaw, words):
    """By the goal's yaw; only what may hurt speaks of derailing."""
    told = choices.approving(there, value, yaw=yaw)
    assert words in told
    hurts = words in ("worse", "does not say which way")
    assert (choices.DERAILS in told) == hurts
    assert choices.approving(there, value, yaw=yaw, shape="running_total").endswith("with it.")


def test_emptying_a_good_day_is_a_loss_and_a_bad_one_a_gain():
    """Emptying says both: that it is emptied, and which way that goes."""
    assert "worse" in choices.approving(5.0, 0.0, yaw=1)
    assert "better" in choices.approving(5.0, 0.0, yaw=-1)


@pytest.mark.parametrize(("there", "words"), [(0.0, "0 stays"), (None, "Nothing is sent")])
def test_dropping_says_what_stays(there, words):
    """A zero is a value."""
    assert words in choices.dropping(there)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (None, ""),
        (Call(99.0, None, "working"), "Beeminder asked 1.0 s ago and waits"),
        (Call(0.0, 1.25, "done"), "answered Beeminder in 1.2 s"),
        (Call(0.0, 25.0, "done"), "answered Beeminder in 25 s"),
        (Call(0.0, 45.0, "done"), "fresh after 45 s, too late"),
        (Call(0.0, 3.0, "failed"), "could not answer Beeminder after 3.0 s"),
        (Call(0.0, 3.0, "dead"), "could not answer Beeminder after 3.0 s"),
    ],
)
def test_an_answer_that_came_too_late_is_not_called_an_answer(call, words):
    """Beeminder waits for as long as the hold; what came after it was told by a 503 before."""
    assert standing.answered(call, 100.0, hold=25.0) == words


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (("alice", "energy", ""), "/feeds/alice/energy"),
        (("alice", "energy", "roof"), "/feeds/alice/energy:roof"),
        (("a/b", "<x>", "y?z#"), "/feeds/a%2Fb/%3Cx%3E:y%3Fz%23"),
    ],
)
def test_addresses_of_feeds_hold_whatever_they_are_called(place, path):
    """What could end a path or begin a query is written out."""
    assert standing.path(*place) == path


def test_a_notice_of_what_is_held_leaves_the_command_out():
    """Its page has buttons; the values stay."""
    message = (
        "kept back until you decide: 2026-11-17 (5 → 3); `waggle approve a/b --all` sends it, "
        "with --drop what is at Beeminder stays"
    )
    need = Need(subject="a/b", kind="held", message=message, since=1.0, about="feed:1",
                place=("a", "b", ""))  # fmt: skip
    shown = needed.by(need, beeminder="https://b.test")
    assert shown.text == "kept back until you decide: 2026-11-17 (5 → 3)"
    assert (shown.path, shown.todo.path) == ("/feeds/a/b", "/feeds/a/b#held")


def test_without_an_app_nobody_is_sent_to_sign_in():
    """There is nowhere to: the file has the token."""
    told = needed.signed_out("alice", can_connect=False)
    assert told.todo is None
    assert "waggle apply" in told.text


def test_what_a_button_does_is_not_told_as_work_on_a_file():
    """Why a source refuses stays, and only the way by the file goes, as the button is beside it."""
    told = needed.refused("plant", "alice", f"it is wrong; {tokens.REMEDY}")

    assert told.text == "it is wrong"
    assert needed.refused("plant", "alice", tokens.REMEDY).text.startswith("it refuses")
    assert told.todo is not None
