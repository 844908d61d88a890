"""Words that command Beeminder's engine never come through in a comment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import decide
from tasks.providers import Reading
from tests.tasks.test_decide import NOW, YESTERDAY, one, only, rules


@pytest.mark.parametrize(
    "word",
    [
        "DERAIL",
        "SELFDESTRUCT",
        "THISWILLSELFDESTRUCT",
        "RESTART",
        "TARE",
        "ARCHIVE",
        "derail",
        "Tare",
    ],
)
@pytest.mark.parametrize("mark", "#@")
def test_orders_are_taken_apart(word: str, mark: str) -> None:
    """No word that commands Beeminder's engine comes through, from a source or a template."""
    for text in (f"{mark}{word}", f"x{mark}{word}y", f"{mark}{mark}{word}"):
        assert f"{mark}{word}" not in decide.neutral(text)
        point = only(one(rules(source=text), 1.0))
        assert f"{mark}{word}" not in point.comment


def test_orders_cannot_hide_behind_invisible_letters() -> None:
    """Zero-width letters and line breaks are spaces before the words are looked for."""
    point = only(one(rules(source="a\u200b\n#DERAIL\x00"), 1.0))
    assert point.comment.isprintable()
    assert "#DERAIL" not in point.comment


@pytest.mark.parametrize(
    "changes",
    [
        {"comment": "{value} #DERAIL {unit}"},
        {"comment": "{value} {source}", "source": "@TARE"},
        {"comment": "{source}{metric}", "source": "x#", "metric": "derail"},
        {"comment": "{goal}", "goal": "@SelfDestruct"},
    ],
)
def test_no_part_of_a_comment_gives_an_order(changes: dict) -> None:
    """Not the template, not what is put into it, and not the two together; nor the unit."""
    reading = Reading(1.0, "#RESTART" if "{unit}" in changes["comment"] else "kWh")
    (verdict,) = decide.decide(rules(**changes), [YESTERDAY], {"20261119": reading}, now=NOW)
    assert not decide.ORDERS.search(only(verdict).comment)


@given(
    st.text(
        alphabet=st.sampled_from("#@DERAILTAR \u200b\n"),
        max_size=40,
    )
)
def test_no_text_becomes_an_order_by_being_cleaned(text: str) -> None:
    """Taking apart never puts together."""
    cleaned = decide.neutral(text)
    assert not decide.ORDERS.search(cleaned)
    assert not decide.ORDERS.search(" ".join(cleaned.split()))
