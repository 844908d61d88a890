"""Ids last: the same facts give the same id for ever, other facts another one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tasks import identity

FACTS = {
    "goal_id": "5e1f",
    "provider": "bemserver",
    "account": "https://bem.example.org|alice@example.org",
    "metric": "timeseries_aggregate",
    "counting": {"timeseries": 1, "aggregation": "sum", "data_state": "Clean"},
}


def test_the_digest_of_these_facts_is_this_one_for_ever() -> None:
    """A change here would write every datapoint of everybody a second time."""
    assert identity.digest(**FACTS) == "e980f97dde89ec99"


def test_the_order_of_parameters_does_not_matter() -> None:
    """A file that is written in another order means the same."""
    turned = FACTS | {"counting": dict(reversed(FACTS["counting"].items()))}
    assert identity.digest(**turned) == identity.digest(**FACTS)


def test_every_fact_counts() -> None:
    """Another goal, account, metric or parameter is another fact."""
    changed = [FACTS | {name: "other"} for name in FACTS if name != "counting"]
    changed.append(FACTS | {"counting": {"timeseries": 2}})
    assert len({identity.digest(**facts) for facts in [FACTS, *changed]}) == len(changed) + 1


@given(fact=st.text(min_size=1, max_size=200), other=st.text(min_size=1, max_size=200))
def test_any_fact_makes_a_safe_id(fact: str, other: str) -> None:
    """Letters, digits and hyphens, 64 at most, ours by its prefix, and different for each fact."""
    made = identity.requestid("0123456789abcdef", fact)

    assert re.fullmatch(r"wg-[0-9a-f]{16}-[0-9A-Za-z-]{1,40}", made)
    assert identity.is_ours(made)
    assert (made == identity.requestid("0123456789abcdef", other)) is (fact == other)


def test_what_is_not_ours() -> None:
    """Points without an id, or with somebody else's, are never ours."""
    assert not any(identity.is_ours(found) for found in (None, "", "ifttt-1", "WG-1", "xwg-1"))
