"""The inbox of everybody, and replays: counted and confirmed first, bounded, exact, and kept."""

import re

import pytest

PATH = "/operator/inbox"


def chosen(page):
    """The events that a page of confirmation would have replayed."""
    return re.findall(r'name="id" value="([0-9a-z]{26})"', page.text)


def made(house, before):
    """By what they replay: the events that are new."""
    return {row.replay_of: row for key, row in house.events().items() if key not in before}


def test_everybodys_events_are_filtered(operator, house, words):
    """By state, kind, person, age and text."""
    mine, bobs = house.event(1, "failed"), house.event(2, "done")

    def ids(query):
        page = operator.get(f"{PATH}?{query}")
        return {event for event in (mine, bobs) if f"/events/{event}" in page.text}

    assert ids("") == {mine, bobs}
    assert ids("state=failed") == {mine}
    assert ids("kind=reminder") == set()
    assert ids("user=BOB") == {bobs}
    assert ids("user=nobody") == set()
    assert ids("age=hour") == {mine, bobs}
    assert ids("age=older") == set()
    assert ids(f"q={bobs}") == {bobs}
    assert ids("q=alice/energy&state=failed") == {mine}
    assert "No event is like that" in words(operator.get(f"{PATH}?q=zzz"))


def test_pages_leave_nothing_out(operator, house):
    """Each event stands on exactly one page, and the way back is there; filters stay."""
    ids = [house.event(1) for _ in range(85)][::-1]
    walked, path, last = [], f"{PATH}?state=failed", None
    while path:
        page = operator.get(path.replace("&amp;", "&"))
        walked += re.findall(r'href="/events/([0-9a-z]{26})"', page.text)
        last = page
        found = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = found and found[1]
        assert path is None or "state=failed" in path

    assert walked == ids
    back = re.search(r'href="([^"]+)" rel="prev"', last.text)[1].replace("&amp;", "&")
    assert re.findall(r'href="/events/([0-9a-z]{26})"', operator.get(back).text) == ids[30:60]


def test_what_is_ticked_is_counted_before_anything_is_done(operator, house, words):
    """How many of whom, what will happen, what is left out; and nothing has happened yet."""
    ids = [house.event(1), house.event(1, "dead"), house.event(2), house.event(2, "done")]
    before = house.events().keys()
    page = operator.send(f"{PATH}/confirm", id=ids)
    text = words(page)

    assert "Replay 3 events of 2 people?" in text
    assert "alice 2 bob 1" in text
    assert "new event that says what it replays" in text
    assert "1 of what was chosen is left out" in text
    assert sorted(chosen(page)) == sorted(ids[:3])
    assert house.events().keys() == before
    assert house.deeds() == []


def test_a_confirmed_replay_is_exact_and_kept(operator, house, serving, until):
    """A new event for each, a deed for each, whose it is; one bell; what was left is said."""
    ids = [house.event(1), house.event(2, "dead"), house.event(1, "working")]
    other = house.event(2)
    before = house.events()
    done = operator.send(f"{PATH}/replay", id=ids)

    new = made(house, before)
    assert done.headers["Location"] == f"{PATH}?age=hour"
    assert new.keys() == set(ids[:2])
    assert all(row.state == "received" and row.request_id for row in new.values())
    assert {(who, what, to, whose) for who, what, to, whose in house.deeds()} == {
        ("operator", "replay", f"event {ids[0]}", 1),
        ("operator", "replay", f"event {ids[1]}", 2),
    }
    assert house.events()[other].state == "failed"
    assert "2 events replayed. 1 left out" in operator.get(PATH).text
    until(lambda: ("sync", "urgent") in serving.bell.rung)  # another thread rings


def test_the_same_form_sent_twice_replays_once(operator, house):
    """A double click is one replay."""
    event = house.event(1)
    before = house.events()
    operator.send(f"{PATH}/replay", id=[event, event])
    operator.send(f"{PATH}/replay", id=[event])

    assert len(made(house, before)) == 1
    assert len(house.events()) == len(before) + 1
    assert len(house.deeds()) == 1


def test_all_that_fit_are_the_oldest_and_bounded(operator, house, words):
    """Two hundred at a time, of what the list was filtered to, failed or dead."""
    ids = [house.event(1) for _ in range(203)]
    house.event(2)
    page = operator.send(f"{PATH}/confirm", all="yes", user="alice")

    assert chosen(page) == ids[:200]
    assert "Replay 200 events of 1 person?" in words(page)
    assert "More than that fit" in words(page)
    assert chosen(operator.send(f"{PATH}/confirm", all="yes", state="done")) == []


@pytest.mark.parametrize("where", ["confirm", "replay"])
def test_too_many_or_odd_ones_are_refused_whole(operator, house, where):
    """201 events, or one that is no id: told, and nothing is done."""
    event = house.event(1)
    before = house.events().keys()
    many = [f"{number:026d}" for number in range(201)]
    for ids in (many, [event, "' OR 1=1"], [event, "x" * 26 + "\x00"], [event, "Ü" * 26]):
        told = operator.send(f"{PATH}/{where}", id=ids)
        assert told.status_code == 400
        assert told.json()["error"]["details"] == {"field": "id"}
    assert house.events().keys() == before
    assert house.deeds() == []


def test_nothing_ticked_is_told(operator, house):
    """Back to the list with what to do; a replay without any is a form that nobody makes."""
    house.event(1)
    told = operator.send(f"{PATH}/confirm", state="failed")

    assert told.headers["Location"] == f"{PATH}?state=failed"
    assert "Tick the events" in operator.get(PATH).text
    assert operator.send(f"{PATH}/replay").status_code == 400
