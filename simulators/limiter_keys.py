"""What a vendor counts by: each function names the quota that a request belongs to."""

from urllib.parse import parse_qsl

from starlette.types import Scope

_IN_QUERY = ("access_token", "auth_token")


def everybody(_scope: Scope) -> str:
    """One quota for all."""
    return "everybody"


def token(scope: Scope) -> str:
    """The Authorization header without its scheme, or a token of the query or the form.

    Empty for a request without any.
    """
    if (given := _header(scope, b"authorization")) is not None:
        return given.removeprefix("Bearer ").strip()
    fields = dict(parse_qsl(scope["query_string"].decode("latin-1"))) | scope.get("form", {})
    return next((str(fields[name]) for name in _IN_QUERY if fields.get(name)), "")


def tenant(scope: Scope) -> str:
    """The first label of the host name."""
    return (_header(scope, b"host") or "").partition(":")[0].partition(".")[0]


def tenant_and_endpoint(scope: Scope) -> str:
    """The tenant with method and path; ids in the path make endpoints of their own."""
    return f"{tenant(scope)} {scope['method']} {scope['path']}"


def address_and_account(scope: Scope) -> str:
    """Where the request comes from, with its token."""
    client = scope.get("client")
    return f"{client[0] if client else ''} {token(scope)}"


def _header(scope: Scope, name: bytes) -> str | None:
    return next(
        (value.decode("latin-1") for known, value in scope["headers"] if known == name), None
    )
