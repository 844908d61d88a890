"""The routes as they are described: equal to those that there are, and tried by the hundred."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
import yaml
from cryptography.fernet import Fernet
from hypothesis import strategies as st
from schemathesis import GenerationMode
from starlette.routing import Route

from db.engine import Ledger
from db.vault import Vault
from tests.webhooks import belongings, samples, visitors
from tests.webhooks.conftest import SECRET, Serving, starting
from webhooks import routes

FILE = Path(__file__).parents[2] / "docs" / "openapi.yaml"
EXAMPLES = 6
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
DESCRIBED: dict[str, Any] = yaml.safe_load(FILE.read_text())
SCHEMA = schemathesis.openapi.from_dict(DESCRIBED)
OPERATIONS = {one.ok().label: one.ok() for one in SCHEMA.get_all_operations()}
CHECKS = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in (
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]
OTHER_PARTS = {"secret": SECRET, "hook": "made-up", "provider": "bime", "daystamp": "20261117"}
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,  # the same ones every time
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@dataclass
class Tried:
    """A receiver, bob who has something of everything, and what he is known by."""

    serving: Serving
    names: dict[str, str]
    who: dict[str, dict[str, str]]
    csrf: dict[str, str]


@pytest.fixture(scope="module")
def tried(_migrated: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """A receiver with a ledger behind it, a person, an operator, and a stranger."""
    path = tmp_path_factory.mktemp("openapi") / "waggle.db"
    path.write_bytes(_migrated)
    vault = Vault([Fernet.generate_key().decode()])
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(contextlib.closing(Ledger(f"sqlite:///{path}")))
        serving = stack.enter_context(starting(ledger, vault))()
        with ledger.write() as session:
            names = belongings.give(session, vault, "bob", now=serving.clock.now(), id_prefix="1")
        bob, operator = (stack.enter_context(visitors.browser(serving)) for _ in range(2))
        visitors.connect(serving, bob, "bob")
        visitors.open_link(serving, operator)
        yield Tried(
            serving,
            names | OTHER_PARTS,
            {"stranger": {}, "bob": dict(bob.cookies), "operator": dict(operator.cookies)},
            {"bob": visitors.token(bob), "operator": visitors.token(operator)},
        )


def methods(route: Route) -> set[str]:
    """What a route is for; HEAD goes with every GET."""
    return {method.lower() for method in (route.methods or set()) - {"HEAD"}}


def test_the_description_is_that_of_the_routes() -> None:
    """No route without a description, none described that is gone; methods and parts as well."""
    made: dict[str, set[str]] = {}
    for route in routes.ROUTES:
        assert isinstance(route, Route)
        path = samples.name(route).partition(" ")[2]
        made[path] = made.get(path, set()) | methods(route)
    described = {path: item.keys() & METHODS for path, item in DESCRIBED["paths"].items()}

    assert described == made
    for path, item in DESCRIBED["paths"].items():
        parts = [one["name"] for one in item.get("parameters", ()) if one["in"] == "path"]
        assert parts == samples.PART.findall(path), path
        for method in item.keys() & METHODS:
            said = {str(status) for status in item[method]["responses"]}
            assert not {status for status in said if status >= "500"} - {"503"}


def ask(tried: Tried, case: schemathesis.Case, who: str) -> None:
    """Send one case; what comes back has to be as described."""
    url = f"{case.method} {case.operation.path}"
    if case.operation.path.endswith("/stream") and who != "stranger":
        return  # it would not end; tests/webhooks/test_streams.py reads them
    response = case.call(
        base_url=tried.serving.url, cookies=tried.who[who], allow_redirects=False, timeout=30
    )
    case.validate_response(response, checks=CHECKS)
    declared = case.operation.definition.raw["responses"]
    assert response.status_code < 500 or str(response.status_code) in declared, url


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_as_described(tried: Tried, label: str, mode: GenerationMode) -> None:
    """Whatever fits or does not, from whomever: no 5xx but the declared ones, headers and all."""
    operation = OPERATIONS[label]
    known = tried.names

    @SETTINGS
    @hypothesis.given(
        case=operation.as_strategy(generation_mode=mode),
        who=st.sampled_from(sorted(tried.who)),
        named=st.booleans(),
    )
    def one(case: schemathesis.Case, who: str, named: bool) -> None:  # noqa: FBT001 -- drawn
        if named:  # else what is behind the names is seldom reached
            case.path_parameters = {
                name: known.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
            if isinstance(case.body, dict) and who in tried.csrf:
                case.body["csrf"] = tried.csrf[who]
        ask(tried, case, who)

    try:
        one()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing can be wrong about it


@pytest.mark.parametrize("label", OPERATIONS)
def test_other_methods_are_405(tried: Tried, label: str) -> None:
    """Whoever asks in another way is told so, with an id, and which ways there are."""
    path = samples.PART.sub(lambda part: tried.names.get(part[1], "x"), OPERATIONS[label].path)
    known = {
        method.upper() for method in DESCRIBED["paths"][OPERATIONS[label].path].keys() & METHODS
    }
    for method in {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} - known:
        answer = httpx.request(method, f"{tried.serving.url}{path}")
        assert answer.status_code == 405, method
        assert known <= set(answer.headers["Allow"].split(", "))
        assert answer.headers["X-Request-Id"]
        assert answer.json()["error"]["code"] == "method_not_allowed"
