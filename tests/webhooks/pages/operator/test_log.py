"""The log: what was done, by whom, to whose things; and no secret in it."""

import re

from db import deeds

PATH = "/operator/log"


def keep(serving, count, **more):
    """So many deeds."""
    with serving.ledger.write() as session:
        for number in range(count):
            deeds.record(
                session,
                **{
                    "at": float(number), "actor": "alice", "as_operator": False, "user_id": 1,
                    "action": "pause", "subject": f"thing-{number}-",
                }
                | more,
            )  # fmt: skip


def things(page):
    """What a page says was done something to."""
    return [int(found) for found in re.findall(r"thing-(\d+)-", page.text)]


def test_what_was_done_on_pages_stands_there(operator, house, words):
    """A replay by hand is found by action and by person."""
    event = house.event(2)
    operator.send("/operator/inbox/replay", id=[event])
    for query in ("", "?action=replay", "?person=bob", "?person=operator"):
        assert f"event {event}" in words(operator.get(f"{PATH}{query}"))
    for query in ("?action=pause", "?person=alice"):
        assert event not in operator.get(f"{PATH}{query}").text


def test_pages_leave_nothing_out(operator, house, serving):
    """The latest first, forth and back, within a filter."""
    keep(serving, 95)
    keep(serving, 5, action="resume", subject="other")
    pages, path = [], f"{PATH}?action=pause"
    while path:
        page = operator.get(path.replace("&amp;", "&"))
        pages.append(things(page))
        found = re.search(r'href="([^"]+)" rel="next"', page.text)
        back = re.search(r'href="([^"]+)" rel="prev"', page.text)
        path = found and found[1]
    assert [thing for page in pages for thing in page] == list(range(94, -1, -1))
    assert things(operator.get(back[1].replace("&amp;", "&"))) == pages[1]


def test_a_secret_that_got_into_a_deed_is_not_shown(operator, house, serving, words):
    """Details under such a name are left out, whatever they hold."""
    keep(serving, 1, details={"token": "canary-1", "deep": {"api_key": "canary-2"}, "goal": "g"})
    text = words(operator.get(PATH))
    assert "canary" not in text
    assert "goal g" in text


def test_a_deed_to_who_is_gone_is_shown(operator, house, serving, words):
    """The log is longer than the lives of its people."""
    keep(serving, 1, user_id=77)
    assert "somebody who is gone" in words(operator.get(PATH))
