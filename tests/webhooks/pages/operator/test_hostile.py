"""Filters and searches with what nobody means: an answer or a clear 400, and never a 500."""

import itertools

import pytest

HOSTILE = (
    "%", "_", "\\", "'", '"', "' OR 1=1 --", "alice/%", "/", "//", "a/b/c", "<script>", "x" * 100,
    "0" * 26, "zzzzzzzzzzzzzzzzzzzzzzzzzz", "z" * 25, "01m7q4e7x8", "☃", "ü" * 50, "\u202e",
    "\x00", "a\x00b", "\n", "\t", "x" * 101, "9" * 5000, "-1", "1e309", "nan", "None", "{{7*7}}",
)  # fmt: skip
FIELDS = {
    "/events": ("q", "state", "kind", "before", "after"),
    "/operator/inbox": ("q", "state", "kind", "age", "user", "before", "after"),
    "/operator/outbox": ("q", "state", "age", "user", "before", "after"),
    "/operator/gates": ("q", "all", "from"),
    "/operator/gates/open": ("gate",),
    "/operator/people": ("q", "state", "before", "after"),
    "/operator/people/1": ("after",),
    "/operator/log": ("action", "person", "before", "after"),
    "/operator/tables/user/list": ("search", "state", "page", "pageSize", "sortBy", "sort"),
    "/operator/tables/event/list": ("search", "state", "page"),
}


@pytest.mark.parametrize("path", FIELDS)
def test_a_page_answers_whatever_is_asked(operator, house, path):
    """With what fits, with nothing, or with a 400 or 404 that says so; nothing is run."""
    house.event(1)
    for field, value in itertools.product(FIELDS[path], HOSTILE):
        told = operator.get(path, params={field: value}, follow_redirects=True)
        assert told.status_code in (200, 400, 404), (field, value)
        assert "<script>" not in told.text
        assert "{{" not in told.text.replace("{{7*7}}", "")
        if told.status_code == 400:
            assert told.json()["error"]["message"], (field, value)


def test_a_400_says_which_field_it_is(operator, house):
    """For browsers a page, for programs JSON."""
    told = operator.get("/operator/inbox", params={"q": "x" * 101})
    assert told.json()["error"]["details"] == {"field": "q"}
    told = operator.get("/events", params={"state": "x"}, headers={"Accept": "text/html"})
    assert told.status_code == 400
    assert "state is none of received, working, done, failed, dead" in told.text


@pytest.mark.parametrize(
    "path", ["/operator/inbox/confirm", "/operator/inbox/replay", "/operator/outbox/retry",
             "/operator/gates/open", "/events/x/replay"],
)  # fmt: skip
def test_a_form_answers_whatever_is_sent(operator, house, path):
    """And nothing is changed by it."""
    house.event(1)
    before = house.events().keys()
    for field, value in itertools.product(("id", "gate", "state", "age", "user", "q"), HOSTILE):
        told = operator.send(path, **{field: value})
        assert told.status_code in (200, 303, 400, 404), (field, value)
    assert house.events().keys() == before
    assert house.deeds() == []
