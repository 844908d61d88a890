"""The operator's addresses do not exist for anybody else, and change nothing for them."""

import pytest

from webhooks.pages.operator.routes import ROUTES
from webhooks.visits import Access

ADDRESSES = [
    (method, route.path.replace("{person}", "1").replace("{rest:path}", rest))
    for route in ROUTES
    for method in sorted(route.methods - {"HEAD"})
    for rest in (("", "user/list", "user/details/1") if "{rest" in route.path else ("",))
]


def test_every_route_is_for_operators():
    """None was forgotten: GET and POST are both among them."""
    assert {route.access for route in ROUTES} == {Access.OPERATOR}
    assert {method for method, _ in ADDRESSES} == {"GET", "POST"}
    assert all(path.startswith("/operator") for _, path in ADDRESSES)


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_a_person_finds_nothing_there(alice, house, method, path):
    """The answer is the one for what nobody ever made, also with the token of a form of theirs."""
    house.event(1)
    before = house.events()
    data = {"csrf": alice.csrf, "id": list(before)} if method == "POST" else None
    told = alice.client.request(method, path, data=data)
    none = alice.client.get("/operator-of-nobody")

    assert (told.status_code, told.text) == (404, none.text)
    assert house.events().keys() == before.keys()
    assert house.deeds() == []


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_a_stranger_is_sent_to_the_start(serving, house, method, path):
    """Without a session nobody learns whether it exists."""
    told = serving.client.request(method, path, data={} if method == "POST" else None)

    assert told.status_code == 303
    assert told.headers["Location"].startswith("/")
    assert not told.headers["Location"].startswith("/operator")


@pytest.mark.parametrize("path", [path for method, path in ADDRESSES if method == "POST"])
def test_an_operators_form_needs_its_token(operator, house, path):
    """A form from elsewhere does nothing, whoever's browser sends it."""
    house.event(1)
    before = house.events().keys()

    assert operator.client.post(path, data={"id": list(before)}).status_code == 403
    assert house.events().keys() == before
    assert house.deeds() == []


def test_people_are_not_shown_the_way(alice, operator, serving):
    """The operator's tab stands at the top for operators alone."""
    assert 'href="/operator"' in operator.get("/").text
    serving.client.cookies.clear()
    assert 'href="/operator"' not in serving.client.get("/").text
