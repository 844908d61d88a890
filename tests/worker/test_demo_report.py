"""Promises of what the demo prints: plain sentences, and no lie in the last line."""

import pytest

from simulators.beeminder_calls import CallResult
from simulators.beeminder_state import Datapoint
from worker.demo_report import Report


def answered(status, body, error=None):
    """What Beeminder got for a call."""
    return CallResult(
        number=1,
        kind="autofetch",
        url="http://127.0.0.1:1/x",
        username="alice",
        slug="energy",
        status=status,
        headers={},
        body=body,
        error=error,
        started_at=0.0,
        finished_at=0.5,
        duration=0.5,
    )


def point(requestid, value=2.5, comment="2.5 kWh [from] plant"):
    """A datapoint at Beeminder; without requestid it is a person's own."""
    return Datapoint(
        id="1",
        timestamp=0,
        landed_at=0.0,
        changed_at=0.0,
        daystamp="20261120",
        value=value,
        comment=comment,
        requestid=requestid,
    )


@pytest.fixture
def report():
    return Report()


@pytest.mark.parametrize(
    ("status", "body", "error", "shown"),
    [
        (200, '{"status":"fresh","datapoints":3}', None, "200 in 0.50 s  fresh, 3 written"),
        (503, '{"status":"late"}', None, '503 in 0.50 s  {"status": "late"}'),
        (202, "{}", None, "202 in 0.50 s"),
        (502, "<h1>Bad Gateway</h1>", None, "502 in 0.50 s"),
        (500, '{"why": "[red]"}', None, '500 in 0.50 s  {"why": "[red]"}'),
        (None, "", "ConnectError: refused", "ConnectError: refused in 0.50 s"),
    ],
)
def test_a_call_is_one_story_and_one_answer(report, capsys, status, body, error, shown):
    """Every kind of answer has a line, also none, and one that is no JSON."""
    report.call("the [first] refresh", answered(status, body, error))

    story, answer = capsys.readouterr().out.splitlines()
    assert story == "  the [first] refresh"
    assert answer.strip() == f"autofetch alice/energy → {shown}"


@pytest.mark.parametrize(("printed", "last"), [("a\nb [c]\n", "b [c]"), ("", "")])
def test_a_command_is_shown_with_what_it_came_to(report, capsys, printed, last):
    """The story, the command as a person types it, and its last line, whatever is in it."""
    report.command("somebody decides", "approve alice/energy 2026-11-20", printed)

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["somebody decides", "waggle approve alice/energy 2026-11-20", last]


@pytest.mark.parametrize("body", ["[]", '"late"', "null", "7"])
def test_an_answer_that_is_no_object_is_shown_as_it_is(report, capsys, body):
    """What stands between Waggle and Beeminder may answer anything."""
    report.call("a refresh", answered(502, body))

    assert "502 in 0.50 s" in capsys.readouterr().out


def test_a_goal_shows_what_we_wrote_and_nothing_else(report, capsys):
    """A person's own datapoints are not ours to show off; brackets of a comment stay."""
    report.goal("energy", [point("w-1"), point(None, 9.0)], {"w-1": 2.5}, {"w-1": 2.5})

    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0] == "energy at Beeminder equals the ledger"
    assert [" ".join(line.split()) for line in lines[1:]] == ["20261120 2.5 2.5 kWh [from] plant"]


def test_a_difference_is_told(report, capsys):
    """When the ledger and Beeminder differ, the line says what the ledger says."""
    report.goal("energy", [point("w-1")], {"w-1": 3.0}, {"w-1": 2.5})

    assert "energy at Beeminder the ledger says {'w-1': 3.0}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answered", "same", "word"),
    [(True, True, "yes"), (True, False, "NO"), (False, True, "NO"), (False, False, "NO")],
)
def test_the_verdict_is_yes_only_when_both_hold(report, capsys, answered, same, word):
    """Callbacks answered and datapoints equal: only both together are a yes."""
    report.verdict(answered=answered, same=same, callbacks=7)

    out = capsys.readouterr().out.strip()
    assert out.startswith("7 callbacks.")
    assert out.endswith(word)


def test_a_failure_goes_to_stderr_as_it_is(report, capsys):
    """The reason is for people and scripts alike: nothing of it is taken for markup."""
    report.failed("no room in [/tmp]")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no room in [/tmp]\n")


def test_the_way_in_is_printed_whole(report, capsys):
    """A link that is wrapped is no link."""
    link = "http://127.0.0.1:8000/login/" + "x" * 200
    report.login(link)
    report.pages("http://127.0.0.1:8000", "http://127.0.0.1:8100")

    out = capsys.readouterr().out
    assert link in out
    assert "http://127.0.0.1:8100" in out
