"""JSON pointers: the examples of RFC 6901, and what is none."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.json_pointer import parse, resolve

# RFC 6901, section 5.
DOCUMENT = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}
EXAMPLES = {
    "": DOCUMENT,
    "/foo": ["bar", "baz"],
    "/foo/0": "bar",
    "/": 0,
    "/a~1b": 1,
    "/c%d": 2,
    "/e^f": 3,
    "/g|h": 4,
    "/i\\j": 5,
    '/k"l': 6,
    "/ ": 7,
    "/m~0n": 8,
}
names = st.text(max_size=8)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def places(value: object, way: tuple = ()):
    """Every place of a document, as the tokens to it, with what stands there."""
    yield way, value
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for token, part in inner:
        yield from places(part, (*way, str(token)))


def written(tokens) -> str:
    """The pointer with these tokens."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


@pytest.mark.parametrize("pointer", EXAMPLES)
def test_the_examples_of_the_rfc(pointer):
    """Each example of section 5 names what it names there."""
    assert resolve(DOCUMENT, parse(pointer)) == EXAMPLES[pointer]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ()),
        ("/", ("",)),
        ("//", ("", "")),
        ("/a/", ("a", "")),
        ("/~01", ("~1",)),
        ("/~10", ("/0",)),
        ("/~0~1/~1~0", ("~/", "/~")),
        ("/%25", ("%25",)),
    ],
)
def test_what_the_tokens_are(text, tokens):
    """Escapes are undone in the right order, and nothing else is decoded."""
    assert parse(text) == tokens


@pytest.mark.parametrize("text", ["a", "a/b", " /a", "#/a", "/~", "/~2", "/a~", "/~~0", "$.a", "."])
def test_what_is_no_pointer(text):
    """A sentence for each."""
    with pytest.raises(ValueError, match="is no JSON pointer"):
        parse(text)


@pytest.mark.parametrize(
    ("pointer", "sentence"),
    [
        ("/x", "the document has no member 'x'; it has 'list', 'empty', 'text'"),
        ("/empty/x", "'/empty' has no member 'x'; it is empty"),
        ("/list/3", "'/list' has no item 3: it is a list of 3"),
        ("/list/-", "'/list' is a list: - stands for the place after its end"),
        ("/list/-1", "'/list' is a list: '-1' is no index"),
        ("/list/01", "'01' is no index"),
        ("/list/+1", "'[+]1' is no index"),
        ("/list/1.0", "no index"),
        ("/list/", "'' is no index"),
        ("/list/\u0661", "no index"),
        ("/list/1\n", "no index"),
        ("/list/" + "9" * 5000, "has no item 9+…: it is a list of 3"),
        ("/text/0", "'/text' is a text, which has nothing inside"),
        ("/list/0/a", "'/list/0' is a number"),
        ("/list/1/a", "'/list/1' is null"),
        ("/list/2/a", "'/list/2' is a boolean"),
    ],
    ids=lambda value: value[:40],
)
def test_where_it_ends(pointer, sentence):
    """A way that leads nowhere says how far it got and what was found there."""
    document = {"list": [1, None, True], "empty": {}, "text": "abc"}
    with pytest.raises(LookupError, match=sentence):
        resolve(document, parse(pointer))


def test_a_dash_may_be_a_name():
    """Only in a list is it the place after the end."""
    assert resolve({"-": 1, "0": 2}, ["-"]) == 1
    assert resolve({"-": 1, "0": 2}, ["0"]) == 2


def test_sentences_stay_short():
    """A document of a megabyte is not quoted whole."""
    big = {"n" * 10_000 + str(number): 1 for number in range(100)}
    with pytest.raises(LookupError) as caught:
        resolve(big, ["m" * 10_000])
    assert len(str(caught.value)) < 1000


@given(tokens=st.lists(names))
def test_what_is_written_is_read(tokens):
    """Any names, whatever is in them, come back from the text of their pointer."""
    assert parse(written(tokens)) == tuple(tokens)


@given(text=st.text())
def test_any_text_is_a_pointer_or_a_sentence(text):
    """Nothing else is ever raised."""
    try:
        tokens = parse(text)
    except ValueError:
        return
    assert written(tokens) == text


@given(document=documents)
def test_every_place_of_a_document_is_found(document):
    """By its pointer, and the document stays as it was."""
    before = copy.deepcopy(document)
    for way, value in places(document):
        assert resolve(document, parse(written(way))) is value
    assert document == before


@given(document=documents, tokens=st.lists(names | st.sampled_from(["0", "1", "-"]), max_size=5))
def test_any_other_place_is_a_lookup_error(document, tokens):
    """Found or a sentence: no traceback of a list or a text comes out."""
    known = dict(places(document))
    if tuple(tokens) in known:
        assert resolve(document, parse(written(tokens))) is known[tuple(tokens)]
        return
    with pytest.raises(LookupError) as caught:
        resolve(document, parse(written(tokens)))
    assert caught.type is LookupError
