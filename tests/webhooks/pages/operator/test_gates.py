"""Gates: who waits until when, and opening one before its time after a warning."""

import re

from db import held_up
from db.models_limits import Breaker

PATH = "/operator/gates"


def way(page, name):
    """The address at which this gate is opened."""
    row = next(row for row in page.text.split("<tr>") if name in row)
    return re.search(r'href="(/operator/gates/open\?gate=\w+)"', row)[1]


def states(serving, now):
    """By name: how each gate stands."""
    with serving.ledger.read() as session:
        return {gate.name: gate.state for gate in held_up.gates(session, now)}


def test_what_makes_us_wait_is_told(operator, house, serving, words):
    """Since when, until when, why and who waits; and open breakers."""
    with serving.ledger.write() as session:
        session.add(
            Breaker(
                subject="source:2", troubled_since=house.now - 900, opened_at=house.now - 60,
                reason="connection refused", probe_at=house.now + 60,
            )
        )  # fmt: skip
    text = words(operator.get(PATH))

    assert "bemserver:tenant-alice plant-alice closed in 10 min closed 1 min ago" in text
    assert "refused by a limit 1 feed" in text
    assert "source plant-bob of bob 15 min ago connection refused in 1 min" in text


def test_all_gates_are_searched_and_paged(operator, house, words):
    """Also those that are open; nobody has to look through a thousand."""
    text = words(operator.get(f"{PATH}?all=yes&q=BOB"))
    assert "tenant-bob" in text
    assert "tenant-alice" not in text
    assert "No gate is like that" in words(operator.get(f"{PATH}?all=yes&q=%25"))
    assert operator.get(f"{PATH}?from=x").status_code == 404
    assert operator.get(f"{PATH}?from=5000").status_code == 200


def test_a_gate_is_opened_after_a_warning(operator, house, serving, words):
    """What the vendor may do is said first; then that gate opens, and the deed is kept."""
    address = way(operator.get(PATH), "tenant-alice")
    asked = operator.get(address)
    assert "may be refused for longer" in words(asked)
    assert set(states(serving, house.now).values()) == {"closed"}

    mark = re.search(r'name="gate" value="(\w+)"', asked.text)[1]
    done = operator.send(f"{PATH}/open", gate=mark)
    assert done.headers["Location"] == PATH
    assert states(serving, house.now) == {
        "bemserver:tenant-alice": "half open",
        "bemserver:tenant-bob": "closed",
    }
    assert [deed[:3] for deed in house.deeds()] == [
        ("operator", "open gate", "bemserver:tenant-alice")
    ]
    assert "one request goes first" in operator.get(PATH).text


def test_a_gate_that_nobody_has_is_none(operator, house, serving):
    """A made-up mark opens nothing, and neither does a key."""
    for mark in ("x", "bemserver:alice", "0" * 20, "%"):
        assert operator.get(f"{PATH}/open", params={"gate": mark}).status_code == 404
        assert operator.send(f"{PATH}/open", gate=mark).status_code == 404
    assert operator.get(f"{PATH}/open").status_code == 404
    assert operator.send(f"{PATH}/open").status_code == 400
    assert set(states(serving, house.now).values()) == {"closed"}
