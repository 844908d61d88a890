"""Nothing that orders, ships, claims or changes can be asked for: no request leaves."""

import urllib.parse

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import bmparts_paths, errors
from clients.bmparts import BmpartsClient
from simulators import bmparts_harm
from simulators.bmparts import Bmparts
from simulators.faults import Fault
from simulators.server import LocalServer
from tests.clients.bmparts_calls import KEY, NOON, client_of

METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "get",
    "Get",
    "GET ",
    "TRACE",
]
ONE = "0b9e5a1f-0000-4000-8000-0123456789ab"
DANGEROUS = [
    "processing/sync",
    "processing/reserve/process",
    "shopping/reserve/process",
    "shopping/cart",
    f"shopping/cart/{ONE}",
    f"shopping/cart/{ONE}/products",
    "shopping/carts",
    "shopping/reserves",
    "shopping/reserve/products",
    "shopping/cart_products",
    "reserve/products/detailed",
    "returns/request",
    "returns/notify",
    "claims/issue",
    "claims/issues",
    "claims/issue/7/comments",
    "claims/issue/7/attachments",
    "profile/masq",
    "profile/change_warehouse",
    "company/callback",
    "search/products",
    "search/suggests",
    "search/products/suggest",
    "search/products/history",
    "search/products/aggregations/brands",
    "prices/list",
    "prices/prom/BOSCH",
    "lists/photos_link",
    "delivery/receivers",
    "documents/download/00003A4D/{ONE}/pdf",
    "reports/download/reconciliation/pdf",
    f"product/{ONE}",
]
# The two that may be read; every other method of them is dangerous.
READ = {"shopping/carts", "shopping/reserves"}
DISGUISES = {
    "as it is": lambda path: path,
    "with a slash": lambda path: f"/{path}",
    "with two slashes": lambda path: f"//{path}",
    "with a slash at its end": lambda path: f"{path}/",
    "with doubled slashes": lambda path: path.replace("/", "//"),
    "with an encoded slash": lambda path: path.replace("/", "%2F"),
    "with a doubly encoded slash": lambda path: path.replace("/", "%252f"),
    "with a backslash": lambda path: path.replace("/", "\\"),
    "with an encoded letter": lambda path: f"%{ord(path[0]):02x}{path[1:]}",
    "in capitals": str.upper,
    "titled": str.title,
    "with a query": lambda path: f"{path}?x=1",
    "as a query": lambda path: f"profile/me?../{path}",
    "with a fragment": lambda path: f"{path}#profile/me",
    "with a parameter": lambda path: f"{path};a=b",
    "from within": lambda path: f"profile/me/../../{path}",
    "from within, encoded": lambda path: f"profile/me/%2e%2e/%2e%2e/{path}",
    "with a dot": lambda path: f"./{path}",
    "with dots": lambda path: path.replace("/", "/./"),
    "after a line": lambda path: f"profile/me\n{path}",
    "before a line": lambda path: f"{path}\n",
    "with a space": lambda path: f"{path} ",
    "with a null": lambda path: f"{path}\0",
    "with other letters": lambda path: path.replace("c", "\u0441"),
    "with an extension": lambda path: f"{path}.json",
    "under v2": lambda path: f"v2/{path}",
    "elsewhere": lambda path: f"https://api.bm.parts/{path}",
    "at another host": lambda path: f"//api.bm.parts/{path}",
}


@pytest.fixture(scope="module")
def recording():
    """A vendor that writes every request down, and does what it is told."""
    bmparts = Bmparts()
    bmparts.state.add_key(KEY)
    with LocalServer(bmparts.app) as server, httpx.Client(trust_env=False) as http:
        yield bmparts, client_of(http, server.url)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("method", METHODS)
def test_no_dangerous_call_reaches_the_wire(recording, method, disguise):
    """Every one of them, by every method, in every disguise: refused before anything is sent."""
    bmparts, client = recording
    for path in DANGEROUS:
        asked = DISGUISES[disguise](path)
        if method == "GET" and asked.removeprefix("/") in READ:
            continue
        with pytest.raises(ValueError, match="not among the calls"):
            client._request(method, asked, json={"uuid": ONE})
        if method == "GET":
            with pytest.raises(ValueError, match="not among the calls"):
                client.document(asked)
            assert not bmparts_paths.may_be_read(asked)
    assert bmparts.faults.requests == []
    assert bmparts.state.harm == []


def test_the_disguises_would_do_harm():
    """The vendor of this test is lax: what got through would be done there."""
    done = {
        name
        for name, disguise in DISGUISES.items()
        if bmparts_harm.is_done_by("POST", disguise("processing/sync"))
    }
    assert len(done) >= 14
    assert bmparts_harm.is_done_by("GET", "/company//callback/")


def test_no_method_but_get_is_listed():
    """A POST can't be expressed, whatever its path."""
    assert {method for method, _ in BmpartsClient.allowed} == {"GET"}
    assert BmpartsClient.allowed is bmparts_paths.ROUTES


def test_no_path_that_is_listed_does_harm():
    """The list itself, against the calls that the vendor's pages call dangerous."""
    for path in bmparts_paths.named():
        assert not bmparts_harm.is_done_by("GET", path)
        assert bmparts_paths.may_be_read(path)
        assert not bmparts_paths.may_be_read(path.removeprefix("/"))
        assert not bmparts_paths.may_be_read(f"{path}/")
    assert set(bmparts_paths.PERIOD_PATHS) <= set(bmparts_paths.named())


@pytest.mark.parametrize(
    "path",
    [
        f"/documents/00003A4D/{ONE}",
        f"/documents/00003A4D/{ONE.replace('-', '').upper()}",
        f"/documents/reclamation/{ONE}",
        f"/finance/contract/{ONE}",
        "/finance/contract/default",
    ],
)
def test_single_documents_by_their_id(path):
    """Ids of both forms, and nothing but ids."""
    assert bmparts_paths.may_be_read(path)
    for wrong in (f"{path}/x", f"{path}%2e", path.replace("0", "x"), path[:-1], f"{path}\n"):
        assert not bmparts_paths.may_be_read(wrong) or wrong.endswith("default")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", DANGEROUS)
def test_no_redirect_leads_to_one(recording, status, path):
    """A vendor that sends us there is not followed."""
    if path in READ:
        return
    bmparts, client = recording
    bmparts.faults.log.clear()
    location = {"Location": f"/{path}"}
    bmparts.faults.add(Fault(path="profile/me", status=status, headers=location))
    with pytest.raises(errors.UnexpectedResponse, match="redirects"):
        client.profile()
    assert [request.path for request in bmparts.faults.requests] == ["/profile/me"]
    assert bmparts.state.harm == []
    bmparts.faults.log.clear()


def test_the_key_follows_no_redirect_to_another_host(recording):
    """Another host is not asked at all, so no key can be read there."""
    bmparts, client = recording
    other = Bmparts()
    with LocalServer(other.app) as elsewhere:
        for location in (f"{elsewhere.url}/profile/me", f"//127.0.0.1:{elsewhere.port}/profile/me"):
            bmparts.faults.add(Fault(path="profile/me", status=302, headers={"Location": location}))
            with pytest.raises(errors.UnexpectedResponse, match="redirects"):
                client.profile()
    assert other.faults.requests == []
    bmparts.faults.log.clear()


def test_all_calls_of_the_client_leave_everything_as_it_was(recording):
    """Each of them goes out and is answered, and nothing was done."""
    bmparts, client = recording
    client.profile()
    client.document_types()
    client.documents(NOON, NOON + 60)
    client.searches(NOON)
    client.count_reserves()
    client.count_carts()
    for path in bmparts_paths.named():
        if path != "/finance/currencies/rates/history":
            client.document(path)
    assert len(bmparts.faults.requests) > 20
    assert {request.method for request in bmparts.faults.requests} == {"GET"}
    assert bmparts.state.harm == []
    bmparts.faults.log.clear()


@given(text=st.text(max_size=40))
def test_any_text_is_a_listed_path_or_refused(text):
    """What is let through is made of plain letters, digits, dashes and single slashes."""
    if bmparts_paths.may_be_read(text):
        assert urllib.parse.quote(text) == text
        assert "//" not in text
        assert "." not in text
