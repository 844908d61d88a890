"""What waits to be sent: shown with the reason, and sent now when an operator says so."""

import re

import pytest
from sqlmodel import select

from db.models_points import Datapoint

PATH = "/operator/outbox"


@pytest.fixture
def points(serving, house):
    """Beside the two that wait: one held, one refused, and 80 more of Alice that wait."""
    with serving.ledger.write() as session:
        for number in range(3, 85):
            state = {3: "held", 4: "rejected"}.get(number, "pending")
            session.add(
                Datapoint(
                    id=number, goal_id=1, feed_id=1, requestid=f"wg-{number}", value=1.0,
                    content_hash="h", due_at=house.now + 1000 + number // 4, state=state,
                    error=f"why-{number}" if number < 5 else None,
                )
            )  # fmt: skip
    return house


def shown(page):
    """The ids that can be ticked."""
    return [int(found) for found in re.findall(r'name="id" value="(\d+)"', page.text)]


def test_each_state_is_shown_with_its_reason(operator, points, words):
    """What is held is its owner's to decide: it can't be ticked."""
    waiting, held, refused = (
        operator.get(f"{PATH}?state={state}") for state in ("pending", "held", "rejected")
    )
    assert "Beeminder did not answer" in words(waiting)
    assert "why-3" in words(held)
    assert "its owner's to decide" in words(held).replace("&#39;", "'")
    assert (shown(held), shown(refused)) == ([], [4])
    assert "why-4" in words(refused)


def test_filters_narrow_the_list(operator, points):
    """By person, text and age."""
    assert shown(operator.get(f"{PATH}?user=bob")) == [2]
    assert shown(operator.get(f"{PATH}?q=wg-77")) == [77]
    assert shown(operator.get(f"{PATH}?user=nobody")) == []
    assert shown(operator.get(f"{PATH}?age=hour")) == []


def test_pages_leave_nothing_out(operator, points):
    """Also where several are due at one moment; back is the page before."""
    pages, path = [], PATH
    while path:
        page = operator.get(path.replace("&amp;", "&"))
        pages.append(page)
        found = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = found and found[1]
    walked = [number for page in pages for number in shown(page)]
    assert walked == [1, 2, *range(5, 85)]
    back = re.search(r'href="([^"]+)" rel="prev"', pages[2].text)[1].replace("&amp;", "&")
    assert shown(operator.get(back)) == shown(pages[1])


def test_a_retry_makes_what_was_ticked_due(operator, points, serving, until):
    """Those and no others; what is held stays; each is kept as a deed, and the bell is rung."""
    done = operator.send(f"{PATH}/retry", id=["2", "3", "4"])
    with serving.ledger.read() as session:
        rows = {row.id: row for row in session.exec(select(Datapoint))}

    assert done.status_code == 303
    assert {key for key, row in rows.items() if row.due_at == points.now} == {2, 4}
    assert (rows[3].state, rows[4].state) == ("held", "pending")
    assert points.deeds() == [
        ("operator", "retry", "datapoint wg-2 of bob/energy", 2),
        ("operator", "retry", "datapoint wg-4 of alice/energy", 1),
    ]
    until(lambda: ("push", "default") in serving.bell.rung)  # another thread rings
    assert "2 datapoints due now. 1 left" in operator.get(PATH).text


def test_nothing_ticked_or_odd_ones_change_nothing(operator, points):
    """Told what to do, or refused whole."""
    assert (
        "Tick the datapoints"
        in operator.get(operator.send(f"{PATH}/retry").headers["Location"]).text
    )
    for ids in (["2", "x"], ["2", "-1"], ["9" * 30], ["2\x00"], [str(n) for n in range(201)]):
        assert operator.send(f"{PATH}/retry", id=ids).status_code == 400
    assert points.deeds() == []
