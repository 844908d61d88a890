"""What people read: one text, the most urgent first, and short however much there is."""

from tasks import telling_words
from tasks.telling_words import LONGEST, Line


def test_one_is_told_as_it_is() -> None:
    """Whose it is and what it is in the title, the words in the text, and where to look."""
    title, body = telling_words.text(
        [Line("late", "alice/energy", "no answer")], pages="https://w.test"
    )
    assert title == "Waggle: alice/energy has no fresh data"
    assert body == "no answer\n\nhttps://w.test/"


def test_the_most_urgent_goes_first() -> None:
    """A red day before a key that ends, and what is over after what is not."""
    title, body = telling_words.text(
        [
            Line("late.over", "alice/a", "it is back"),
            Line("key_ends", "source x of alice", "its key ends"),
            Line("failing_red", "alice/b", "no data"),
        ],
        pages="",
    )
    assert title == "Waggle: alice/b derails today, and its data is not there, and 2 more"
    assert body.index("no data") < body.index("its key ends") < body.index("it is back")


def test_many_are_a_number_and_the_first_few() -> None:
    """Whoever is told of 500 wants to know that it is 500."""
    lines = [Line("late", f"alice/g{number}", "no answer " * 50) for number in range(500)]
    title, body = telling_words.text(lines, pages="")
    assert title == "Waggle: 500 feeds have no fresh data"
    assert "alice/g4:" in body
    assert "alice/g5:" not in body
    assert "… and 495 more" in body
    assert len(body) <= LONGEST


def test_every_kind_of_notice_has_its_words() -> None:
    """One that is new is told all the same."""
    title, body = telling_words.text([Line("brand_new", "alice/a", "words")], pages="")
    assert "alice/a" in title
    assert "words" in body


def test_a_text_of_many_kinds_has_an_end() -> None:
    """Some services take no more."""
    lines = [
        Line(topic, f"{topic} {number}", "x" * 900)
        for topic in telling_words.TOPICS
        for number in range(9)
    ]
    assert len(telling_words.text(lines, pages="https://w.test")[1]) < LONGEST + 50


def test_secrets_are_found_in_what_was_encrypted() -> None:
    """A token itself; of credentials the values, however short a name is."""
    assert telling_words.secrets_in("token-1") == ["token-1"]
    assert telling_words.secrets_in('{"password": "canary", "n": 5, "x": "ab"}') == ["canary"]
