"""Promises of questions: all of them before anything is changed, and none to a script."""

import click
import pytest

from tests.worker.cli.goals import answering
from worker.cli import failures, questions


def test_yes_answers_everything(monkeypatch):
    """Nobody is asked."""
    asked = answering(monkeypatch)
    assert questions.agreed(["a?", "b?"], yes=True) == [True, True]
    assert asked == []


def test_no_question_needs_nobody():
    """A script goes on where nothing is to be asked."""
    assert questions.agreed([], yes=False) == []


def test_a_script_is_told_what_it_would_have_been_asked():
    """With every question, and what would answer it."""
    with pytest.raises(failures.Failed, match=r"a\? b\? .*--yes"):
        questions.agreed(["a?", "b?"], yes=False)


def test_a_person_answers_each(monkeypatch):
    """Also at a terminal nothing is asked where the output is for a machine."""
    asked = answering(monkeypatch, True, False)  # noqa: FBT003 -- answers
    assert questions.agreed(["a?", "b?"], yes=False) == [True, False]
    assert asked == ["a?", "b?"]
    with pytest.raises(click.ClickException):
        questions.agreed(["a?"], yes=False, can_ask=False)
