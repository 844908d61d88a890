"""Who may come where: every address beside everybody who may ask for it."""

import contextlib
import re
from dataclasses import dataclass

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from starlette.routing import Route

from db.engine import Ledger
from db.metadata import METADATA
from db.vault import Vault
from tests.webhooks import belongings, samples, visitors
from webhooks import places, routes
from webhooks.visits import Access

GUARDED = [route for route in samples.pages() if route.access is not Access.ANYBODY]
OF_OPERATORS = [route for route in routes.PAGES if route.access is Access.OPERATOR]
# Addresses that name something of somebody's.
NAMING = [
    route
    for route in routes.PAGES
    if route.access is Access.PERSON
    and samples.sample(route).used(route.path) & belongings.IDENTITIES
]


@dataclass
class Cast:
    """Bob, who has things; Alice, who has things of her own; an operator; a stranger."""

    serving: object
    bob: httpx.Client
    alice: httpx.Client
    operator: httpx.Client
    stranger: httpx.Client
    names: dict[str, dict[str, str]]


@contextlib.contextmanager
def playing(serving):
    """Everybody, signed in as far as they can be."""
    with contextlib.ExitStack() as stack:
        with serving.ledger.write() as session:
            now = serving.clock.now()
            names = {
                name: belongings.give(session, serving.vault, name, now=now, id_prefix=str(number))
                for number, name in enumerate(("alice", "bob"))
            }
        clients = [stack.enter_context(visitors.browser(serving)) for _ in range(4)]
        visitors.connect(serving, clients[0], "bob")
        visitors.connect(serving, clients[1], "alice")
        visitors.open_link(serving, clients[2])
        yield Cast(serving, *clients, names)


@pytest.fixture(scope="module")
def cast(starting, _migrated, tmp_path_factory):
    """Everybody, for all tests that change nothing."""
    path = tmp_path_factory.mktemp("roles") / "waggle.db"
    path.write_bytes(_migrated)
    with (
        contextlib.closing(Ledger(f"sqlite:///{path}")) as ledger,
        starting(ledger, Vault([Fernet.generate_key().decode()])) as start,
        playing(start()) as made,
    ):
        yield made


@pytest.fixture
def alone(serving):
    """Everybody, for a test that changes what they have."""
    with playing(serving) as made:
        yield made


def everything(serving):
    """All rows of the ledger."""
    with serving.ledger.read() as session:
        return {
            table.name: sorted(repr(row) for row in session.connection().execute(select(table)))
            for table in METADATA.sorted_tables
        }


def ids(routes_):
    """Names of test cases."""
    return {"argvalues": routes_, "ids": [samples.name(route) for route in routes_]}


def without(text, names):
    """A text as it is whatever was asked for."""
    for value in sorted(names, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(value)}\b", "…", text)
    return text


def test_every_address_has_its_line():
    """A page or a door that nobody tries is found, and a line of one that is gone."""
    made = {samples.name(route) for route in routes.ROUTES if isinstance(route, Route)}
    tried = {f"GET {path}" for path in samples.PAGES} | {f"POST {path}" for path in samples.FORMS}

    assert len(made) == len(routes.ROUTES)
    assert {samples.name(route) for route in routes.PAGES} == tried
    assert made == tried | set(samples.DOORS)


@pytest.mark.parametrize("door", samples.DOORS)
def test_doors_tell_a_stranger_nothing(cast, door):
    """Without the secret of a door nothing opens, and nothing is kept of the try."""
    before = everything(cast.serving)
    method, _, path = door.partition(" ")

    answer = cast.stranger.request(method, samples.PART.sub("made-up", path))

    assert answer.status_code == samples.DOORS[door]
    assert "bob" not in answer.text
    assert everything(cast.serving) == before


@pytest.mark.parametrize("route", **ids(GUARDED))
def test_strangers_are_sent_to_the_front_page(cast, route):
    """Whether what they ask for exists or not."""
    for names in (cast.names["bob"], belongings.NOTHING):
        answer = visitors.ask(cast.stranger, route, names)
        sample = samples.sample(route)
        front = places.sign_in(sample.address(route.path, names).partition("?")[0])
        if sample.stream:
            assert answer.status_code == 401
        elif sample.fragment:
            assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, front)
        else:
            assert (answer.status_code, answer.headers["Location"]) == (303, front)
        assert "bob" not in answer.text


@pytest.mark.parametrize("route", **ids(samples.forms()))
def test_strangers_send_no_form(cast, route):
    """Not even with a token that somebody else was given."""
    csrf, before = visitors.token(cast.bob), everything(cast.serving)

    answer = visitors.ask(cast.stranger, route, cast.names["bob"], csrf=csrf)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert everything(cast.serving) == before


@pytest.mark.parametrize("route", **ids(samples.pages()))
def test_people_see_their_own(cast, route):
    """What is theirs is there, and not a trace of anybody else's."""
    answer = visitors.ask(cast.bob, route, cast.names["bob"])

    if route.access is Access.OPERATOR:
        assert answer.status_code == 404
    else:
        assert answer.status_code == samples.status(route)
    assert "alice" not in answer.text


@pytest.mark.parametrize("route", **ids(NAMING))
def test_what_is_somebody_elses_does_not_exist(cast, route):
    """The same answer as for what nobody has; nothing is changed and nothing kept of it."""
    csrf, before = visitors.token(cast.alice), everything(cast.serving)
    fields = visitors.hidden(cast.bob, route, cast.names["bob"])

    other = visitors.ask(cast.alice, route, cast.names["bob"], csrf=csrf, fields=fields)
    none = visitors.ask(cast.alice, route, belongings.NOTHING, csrf=csrf, fields=fields)

    assert other.status_code == none.status_code == 404
    assert other.text == none.text
    assert everything(cast.serving) == before


@pytest.mark.parametrize("route", **ids(NAMING))
def test_no_single_name_opens_what_is_somebody_elses(cast, route):
    """One's own goal with another's source, say: each name is looked at."""
    csrf, before = visitors.token(cast.alice), everything(cast.serving)
    own, bob = cast.names["alice"], cast.names["bob"]
    fields = visitors.hidden(cast.alice, route, own)

    for name in samples.sample(route).used(route.path) & belongings.IDENTITIES:
        other = visitors.ask(cast.alice, route, own | {name: bob[name]}, csrf=csrf, fields=fields)
        none = visitors.ask(
            cast.alice, route, own | {name: belongings.NOTHING[name]}, csrf=csrf, fields=fields
        )

        told = [without(other.text, [bob[name]]), without(none.text, [belongings.NOTHING[name]])]
        assert other.status_code == none.status_code, name
        assert 400 <= other.status_code < 500, name
        assert told[0] == told[1], name
        assert everything(cast.serving) == before, name


@pytest.mark.parametrize("route", **ids(OF_OPERATORS))
def test_what_is_for_operators_does_not_exist_for_people(cast, route):
    """Also not for those whom it is about."""
    csrf, before = visitors.token(cast.bob), everything(cast.serving)

    answer = visitors.ask(cast.bob, route, cast.names["bob"], csrf=csrf)
    none = cast.bob.get("/nothing")

    assert answer.status_code == none.status_code == 404
    assert answer.text == none.text
    assert everything(cast.serving) == before


@pytest.mark.parametrize("route", **ids(samples.pages()))
def test_operators_see_everybodys(cast, route):
    """Each page about anybody, and all people on pages that list."""
    answer = visitors.ask(cast.operator, route, cast.names["bob"])

    assert answer.status_code == samples.status(route, operator=True)
    if samples.sample(route).lists:
        assert "alice" in answer.text
        assert "bob" in answer.text


@pytest.mark.parametrize("who", ["bob", "operator"])
@pytest.mark.parametrize("route", **ids(samples.forms()))
def test_a_form_without_its_token_does_nothing(cast, route, who):
    """Nor with one that another person was given."""
    client, foreign, before = (
        getattr(cast, who),
        visitors.token(cast.alice),
        everything(cast.serving),
    )
    hidden = route.access is Access.OPERATOR and who == "bob"

    for csrf in (None, "", "made-up", foreign):
        answer = visitors.ask(client, route, cast.names["bob"], csrf=csrf)
        assert answer.status_code == (404 if hidden else 403)
    assert everything(cast.serving) == before


@pytest.mark.parametrize("who", ["bob", "operator"])
@pytest.mark.parametrize("route", **ids(samples.forms()))
def test_what_is_done_is_kept_with_who_did_it(alone, route, who):
    """A form that changes something leaves a deed under the name of whose things it is about."""
    if route.access is Access.OPERATOR and who == "bob":
        return
    client, sample = getattr(alone, who), samples.sample(route)
    status = samples.status(route, operator=who == "operator")
    fields = {} if status == 404 else visitors.hidden(client, route, alone.names["bob"])
    csrf, before = visitors.token(client), everything(alone.serving)

    answer = visitors.ask(client, route, alone.names["bob"], csrf=csrf, fields=fields)

    after = everything(alone.serving)
    done = status != 404
    assert answer.status_code == status, answer.text
    assert (after != before) is (done and sample.changes)
    new = [row for row in after["deed"] if row not in before["deed"]]
    assert bool(new) is (done and sample.changes and sample.deed)
    assert all(f"'{who}', {who == 'operator'}" in row for row in new)
