"""A named user's token opens dashboards in that person's name: it goes no further than parsing."""

import dataclasses
import gc
import io
import logging
import traceback
import types

import httpx
import pytest

from clients import errors
from clients.bime import BimeClient
from clients.bime_auth import StaticToken

VIEWER = "canary-viewer-3f2a"
USER = {
    "id": 7,
    "full_name": "Bob",
    "access_token": VIEWER,
    "created_at": "2013-06-14T10:20:30-05:00",
    "updated_at": "2013-06-14T10:20:30-05:00",
}
QUOTES = {
    "record": {"error": "could not be saved", "record": USER},
    "records": {"errors": [USER, USER]},
    "bare": USER,
    "list": [USER],
    "nested": {"error": {"message": {"user": USER}}},
    "inspected": {"error": f'#<NamedUser id: 7, access_token: "{VIEWER}">'},
    "text": {"message": f"no viewer {VIEWER}"},
    "envelope": {"result": USER, "error": f"stale {VIEWER}"},
    "envelope of users": {"result": [USER, {"id": None, "access_token": VIEWER}], "error": None},
    "key": {VIEWER: "is the key"},
    "word": VIEWER,
}


@pytest.fixture
def logged():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def reachable(start):
    """The repr of every plain value that can be reached from here, frames of tracebacks too."""
    found, todo, seen = [], [start], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | int | float):
            found.append(repr(one))
        elif isinstance(one, types.TracebackType):
            # Not the test's own frame: it holds the script.
            if one.tb_frame.f_code.co_filename != __file__:
                todo += list(one.tb_frame.f_locals.values())
            todo.append(one.tb_next)
        elif isinstance(one, BaseException):
            todo += [one.args, vars(one), one.__traceback__, one.__context__, one.__cause__]
        elif isinstance(one, httpx.Client):
            continue  # the scripted vendor is behind it
        elif not isinstance(one, type | types.ModuleType | types.FunctionType):
            todo += gc.get_referents(one)
    return " ".join(found)


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize("status", [200, 304, 400, 401, 403, 404, 410, 422, 429, 500, 503])
@pytest.mark.parametrize(
    "path", ["named_users", "named_users/7", "named_user_groups", "dashboards", "dashboards/7"]
)
def test_no_canary_in_whatever_comes_back(http, vendor, logged, path, status, quote):
    """Values, errors with everything that hangs on them, log lines: none has a viewer's token."""
    vendor.answers(httpx.Response(status, json=QUOTES[quote]))
    client = BimeClient(http=http, base_url="http://bime.test/v2", tokens=StaticToken("ours"))
    resource, _, number = path.partition("/")
    shown, kept = "", None
    try:
        kept = client.record(resource, number) if number else client.records(resource)
        shown = repr(kept)
    except errors.ClientError as error:
        kept = error
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    shown = shown.replace("QUOTES[quote]", "")
    assert VIEWER not in shown + reachable(kept) + reachable(client) + logged.getvalue()


def test_the_walk_would_find_it():
    """The test above can fail: what hangs on an error, a frame or a value is found."""

    def fail():
        held = [{"deep": VIEWER}]
        raise errors.Rejected("no", details=held)

    with pytest.raises(errors.Rejected) as caught:
        fail()
    assert VIEWER in reachable(caught.value)
    caught.value.details = None
    assert VIEWER not in reachable(caught.value)  # frames of this file are left out
    assert VIEWER in reachable(errors.Rejected(VIEWER))


def test_no_model_has_a_place_for_it(http, vendor):
    """The users themselves come through, their tokens do not."""
    vendor.answers(httpx.Response(200, json=[USER]))
    client = BimeClient(http=http, base_url="http://bime.test/v2", tokens=StaticToken("ours"))
    (user,) = client.records("named_users").value
    assert user.full_name == "Bob"
    assert not any("token" in field.name for field in dataclasses.fields(user))
