"""Filters: what was chosen or typed is what it can be, or a 400 that says which field."""

import pytest

from db.states import EventState
from webhooks import filters
from webhooks.errors import AnswerError, NotFoundError


@pytest.mark.parametrize(
    ("given", "text"), [("", None), ("   ", None), (" a b ", "a b"), ("%", "%")]
)
def test_text_is_stripped_and_nothing_is_none(given, text):
    """Also where the field is missing."""
    assert filters.text({"q": given}, "q") == text
    assert filters.text({}, "q") is None


@pytest.mark.parametrize("given", ["a\x00", "x" * 101, "a\nb"])
def test_what_no_database_should_see_is_refused(given):
    """Told with the name of the field."""
    with pytest.raises(AnswerError) as told:
        filters.text({"q": given}, "q")
    assert (told.value.status, told.value.details) == (400, {"field": "q"})


def test_words_are_those_that_there_are():
    """A state is a state; another word is refused with those that would do."""
    assert filters.one_of({"state": "done"}, "state", EventState) is EventState.DONE
    assert filters.one_of({"state": ""}, "state", EventState) is None
    with pytest.raises(AnswerError, match="received, working, done, failed, dead"):
        filters.one_of({"state": "gone"}, "state", EventState)
    with pytest.raises(AnswerError):
        filters.word({"all": "no"}, "all", ["yes"])


@pytest.mark.parametrize("given", ["x", "-1", "9" * 16, "1.5", "\u0661\u0662"])
def test_what_can_be_no_row_is_no_page(given):
    """Before it gets to a database that can't hold it; digits are ours alone."""
    with pytest.raises(NotFoundError):
        filters.row({"after": given}, "after")


def test_addresses_leave_out_what_says_nothing():
    """And quote what has a meaning there."""
    assert filters.address("/p", a=None, b="", c="x y&z", d=3) == "/p?c=x+y%26z&d=3"
    assert filters.address("/p", a=None) == "/p"
