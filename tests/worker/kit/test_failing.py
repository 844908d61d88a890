"""What an odd answer may be said in earnest, and that nothing else is excused by it."""

import dataclasses

import pytest

from tests.worker.kit.breaking import Reader
from tests.worker.kit.sample import TRIAL, played, with_reader
from worker.kit.failing import missing_members_are_errors, odd_answers_are_errors


class TakesBareLists(Reader):
    """Reads an empty list without its name as well."""

    def values(self, answer):
        """No list is another name of an empty one."""
        return {} if answer.json() == [] else super().values(answer)


def honest(**paths):
    """The trial of a vendor that may say these in earnest."""
    return dataclasses.replace(TRIAL, honest={f"/{name}/.*": says for name, says in paths.items()})


@pytest.mark.parametrize(
    "trial",
    [TRIAL, honest(names=["[]"]), honest(things=["{}"])],
    ids=["none", "elsewhere", "other"],
)
def test_an_odd_answer_that_is_not_named_is_no_value(trial) -> None:
    """Neither that of another path is excused, nor another one of this path."""
    outcome = played(odd_answers_are_errors, with_reader(TakesBareLists), trial)
    assert any("the JSON [] at request 1: None" in problem for problem in outcome.problems)


def test_an_odd_answer_that_the_vendor_may_give_is_no_fault() -> None:
    """A reader that takes a list by name or bare is right where nobody knows how it comes."""
    trial = honest(things=["[]"])
    for promise in (odd_answers_are_errors, missing_members_are_errors):
        assert played(promise, with_reader(TakesBareLists), trial).problems == ()
