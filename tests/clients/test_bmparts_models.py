"""Lists, instants and profiles of BM Parts, in every form that they may come in."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import bmparts_models as models
from clients import errors
from clients.answers import Answer
from clients.bmparts_models import DocumentType, Profile


def answer_of(body) -> Answer:
    """A good answer with this body."""
    headers = httpx.Headers({"X-Request-Id": "r-1"})
    return Answer("GET", "p", 200, headers, json.dumps(body).encode())


ROW = {"uuid": "u"}
LISTS = {
    "named array": ({"things": [ROW]}, 1),
    "named object": ({"things": {"a": ROW, "b": ROW}}, 2),
    "second name": ({"items": [ROW]}, 1),
    "named beside others": ({"things": [ROW], "pages": [1, 2], "meta": {"a": {}}}, 1),
    "the only array": ({"rows": [ROW], "page": 1, "meta": {"a": 1}}, 1),
    "the only array beside errors": ({"rows": [ROW], "errors": [], "messages": ["x"]}, 1),
    "the only array beside an object of objects": ({"rows": [ROW], "meta": {"a": {}}}, 1),
    "the only object of objects": ({"rows": {"a": ROW, "b": ROW}, "meta": {"a": 1}}, 2),
    "an array": ([ROW, ROW], 2),
    "an empty array": ([], 0),
    "an empty named array": ({"things": []}, 0),
    "an empty named object": ({"things": {}}, 0),
    "the only array, empty": ({"rows": []}, 0),
}
NO_LISTS = {
    "nothing": {},
    "null": None,
    "a number": 3,
    "a text": "x",
    "named null": {"things": None},
    "named number": {"things": 3},
    "named text": {"things": "none"},
    "named single object": {"things": {"uuid": "u", "rows": []}},
    "two arrays": {"a": [], "b": [ROW]},
    "two objects of objects": {"a": {"x": ROW}, "b": {"x": ROW}},
    "an empty object": {"rows": {}},
    "only a message": {"message": "no"},
    "only errors": {"errors": []},
    "only warnings": {"warnings": [ROW]},
    "an object by id without a name": {"u-1": ROW, "u-2": ROW},
    "null in it": {"things": [None]},
    "texts in it": {"things": ["u"]},
    "lists in it": {"things": [[ROW]]},
    "one text in it": {"things": [ROW, "u"]},
}


@pytest.mark.parametrize("form", LISTS)
def test_lists(form):
    """Each form that the vendor uses or may use."""
    body, count = LISTS[form]
    assert len(models.records(answer_of(body), "things", "items")) == count


@pytest.mark.parametrize("form", NO_LISTS)
def test_what_is_no_list(form):
    """A list that is missing or can't be told is named in an error, and is no zero."""
    with pytest.raises(errors.UnexpectedResponse, match="things") as caught:
        models.records(answer_of(NO_LISTS[form]), "things", "items")
    assert caught.value.request_id == "r-1"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=10,
    )
)
def test_any_body_is_a_list_or_an_error(body):
    """No other exception comes out of any JSON."""
    reads = (lambda answer: models.records(answer, "things"), models.document_types, models.profile)
    for read in reads:
        try:
            assert isinstance(read(answer_of(body)), list | tuple | Profile)
        except errors.UnexpectedResponse:
            continue


@pytest.mark.parametrize(
    ("row", "key", "expected"),
    [
        ({"document_uuid": "a", "uuid": "b"}, None, "a"),
        ({"uuid": "b"}, "k", "b"),
        ({"uuid": 123456789}, None, "123456789"),
        ({"uuid": "  "}, "k", "k"),
        ({"uuid": None}, "k", "k"),
        ({"uuid": True}, None, None),
        ({"uuid": ["a"]}, None, None),
        ({}, None, None),
    ],
)
def test_ids(row, key, expected):
    """Under the first name that holds one, or the key of the object that it stood in."""
    assert models.Listed(row, key).id("document_uuid", "uuid") == expected


def test_the_content_of_a_record_without_an_id():
    """Equal records have equal contents, in any order, however deep they are."""
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    assert models.Listed({"a": 1, "b": 2}).content() == models.Listed({"b": 2, "a": 1}).content()
    assert models.Listed({"a": 1}).content() != models.Listed({"a": "1"}).content()
    assert models.Listed({"a": deep}).content()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T12:00:00Z", 1_795_176_000.0),
        ("2026-11-20T14:00:00+02:00", 1_795_176_000.0),
        ("2026-11-20T12:00:00.5Z", 1_795_176_000.5),
        ("2026-11-20T12:00:00", None),
        ("2026-11-20", None),
        ("yesterday", None),
        ("", None),
        (1_795_176_000, None),
        (None, None),
    ],
)
def test_instants(text, expected):
    """An instant has a zone; whatever has none is named in an error."""
    if expected is not None:
        assert models.instant(answer_of({}), "history.0.searched_at", text) == expected
        return
    with pytest.raises(errors.UnexpectedResponse, match=r"history\.0\.searched_at"):
        models.instant(answer_of({}), "history.0.searched_at", text)


KINDS = (DocumentType("00003A4D", "Накладна"),)


@pytest.mark.parametrize(
    "body",
    [
        {"types": [{"code": "00003A4D", "name": "Накладна"}]},
        {"types": {"00003A4D": {"name": "Накладна"}}},
        {"types": {"00003A4D": "Накладна"}},
        {"00003A4D": "Накладна"},
        {"document_types": [{"type": "00003A4D", "title": "Накладна"}]},
        [{"uuid": "00003A4D", "description": "Накладна"}],
        {"types": [{"code": "00003A4D", "name": "Накладна"}, {"name": "without a code"}]},
    ],
)
def test_kinds_of_documents(body):
    """In any form that has codes and names."""
    assert models.document_types(answer_of(body)) == KINDS


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"uuid": "u", "name": "Garage", "clients": {}}, Profile("u", "Garage")),
        ({"profile": {"uuid": "u", "name": "Garage"}}, Profile("u", "Garage")),
        ({"name": "Garage"}, Profile("", "Garage")),
        ({"uuid": 7, "name": None}, Profile()),
        ({"manager": {"name": "Oksana"}, "phone": "1"}, Profile()),
        ({}, Profile()),
    ],
)
def test_profiles(body, expected):
    """Whatever it holds it proves the key; a manager's name is not the firm's."""
    assert models.profile(answer_of(body)) == expected


@pytest.mark.parametrize(
    ("body", "found"), [([], "a list"), (None, "null"), ("uuid", "a text"), (17, "a number")]
)
def test_what_is_no_profile_proves_no_key(body, found):
    """Somebody else answered than the vendor, and nobody is told that the key is accepted."""
    with pytest.raises(errors.UnexpectedResponse, match=f"an object was due, found {found}"):
        models.profile(answer_of(body))
