"""People: how each stands, found by name, with the way to their feeds."""

import re

import pytest

from db import notices
from db.models import Feed, User

PATH = "/operator/people"
LONG = "x" * 90


def test_people_with_their_figures(operator, house, serving, words):
    """Feeds, sources, notices and the last sign of life."""
    house.event(2, received_at=house.now - 120)
    with serving.ledger.write() as session:
        notices.raise_(session, user_id=1, subject="user:1", kind="k", message="m", now=house.now)
    text = words(operator.get(PATH))

    assert "alice in step 1 1 1 never" in text
    assert re.search(r"bob in step 1 1 \d+ min ago", text)


def test_people_are_searched_and_filtered(operator, house, serving, words):
    """By a part of the name, which is no pattern, and by state."""
    with serving.ledger.write() as session:
        session.get_one(User, 2).state = "deauthorized"
    assert "alice" not in words(operator.get(f"{PATH}?q=BO"))
    assert "Nobody is like that" in words(operator.get(f"{PATH}?q=%25"))
    text = words(operator.get(f"{PATH}?state=deauthorized"))
    assert "bob" in text
    assert "alice" not in text


def test_pages_leave_nobody_out(operator, serving, house):
    """By name, forth and back."""
    with serving.ledger.write() as session:
        session.add_all([User(username=f"p{number:03d}") for number in range(110)])
    pages, path = [], PATH
    while path:
        page = operator.get(path.replace("&amp;", "&"))
        pages.append(re.findall(r'href="/operator/people/(\d+)"', page.text))
        found = re.search(r'href="([^"]+)" rel="next"', page.text)
        back = re.search(r'href="([^"]+)" rel="prev"', page.text)
        path = found and found[1]
    assert len({who for page in pages for who in page}) == sum(map(len, pages)) == 112
    again = operator.get(back[1].replace("&amp;", "&"))
    assert re.findall(r'href="/operator/people/(\d+)"', again.text) == pages[1]


def test_one_person_with_the_way_to_their_feeds(operator, house, serving, words):
    """Their sources and feeds in pages; their events, outbox and log are a click away."""
    with serving.ledger.write() as session:
        for number in range(3, 73):
            session.add(Feed(id=number, goal_id=1, source_id=1, label=f"l{number}", metric=LONG))
    page = operator.get(f"{PATH}/1")

    for link in ("/feeds/alice/energy", "/operator/inbox?user=alice", "/operator/log?person=alice"):
        assert f'href="{link}"' in page.text
    assert "plant-alice bemserver" in words(page)
    assert "bob" not in page.text
    labels = re.findall(r":l(\d+)<", page.text)
    while (found := re.search(r'href="([^"]+)" rel="next"', page.text)) is not None:
        page = operator.get(found[1])
        labels += re.findall(r":l(\d+)<", page.text)
    assert sorted(map(int, labels)) == list(range(3, 73))


@pytest.mark.parametrize("who", ["99", "0", "x", "9" * 40, "1'", "-1", "%00"])
def test_nobody_is_no_page(operator, house, who):
    """An id that nobody has, or that is none."""
    assert operator.get(f"{PATH}/{who}").status_code == 404
