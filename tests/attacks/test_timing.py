"""Secrets are compared so that the time that it takes tells nothing about them."""

import ast
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from db.models import Source, User
from tests.webhooks import visitors
from tests.webhooks.conftest import SECRET, Serving
from webhooks import door, oauth, sessions, source_links

ROOT = Path(__file__).parents[2]
NAMES = {
    "secret",
    "csrf",
    "nonce",
    "hook",
    "token",
    "access_token",
    "code",
    "digest",
    "password",
    "link",
}
HOOK = "canary-hook-of-alice"
WRONG = "canary-of-a-guess"
FORM = {"username": "alice", "slug": "energy"}


class Counting:
    """`hmac`, with the comparisons counted."""

    def __init__(self) -> None:
        self.compared: list[tuple[int, int]] = []

    def compare_digest(self, first: bytes, second: bytes) -> bool:
        """Compare, and remember how long both were."""
        self.compared.append((len(first), len(second)))
        return hmac.compare_digest(first, second)


@pytest.fixture
def asked(serving: Serving) -> Iterator[list[str]]:
    """What the ledger is asked, with what is filled in."""
    found: list[str] = []

    def note(*args: Any) -> None:
        found.append(f"{args[2]} {args[3]}")

    engine = sqlalchemy.Engine
    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    yield found
    sqlalchemy.event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def alice(serving: Serving) -> None:
    """Somebody with a hook."""
    with serving.ledger.write() as session:
        session.add(
            User(username="alice", beeminder_id="u", hook_hash=serving.vault.fingerprint(HOOK))
        )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/beeminder/autofetch/{SECRET}", 503),
        (f"/beeminder/autofetch/{SECRET[:-1]}x", 404),
        (f"/beeminder/autofetch/{WRONG}", 404),
        (f"/beeminder/autofetch/{'x' * 500}", 404),
        (f"/beeminder/deauthorized/{WRONG}", 404),
        (f"/beeminder/reminder/{WRONG}", 404),
        (f"/beeminder/nothing/{WRONG}", 404),
        ("/no/such/path", 404),
    ],
)
def test_every_path_costs_the_same_comparisons(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    """Right, nearly right, wrong, long or no secret at all: each is compared with all, once."""
    counted = Counting()
    monkeypatch.setattr(door, "hmac", counted)

    answer = serving.client.post(path, data=FORM)

    assert answer.status_code == status
    assert counted.compared == [(64, 64)] * len(serving.receiver.config.callback_secrets)


def test_hooks_and_links_are_looked_up_by_a_keyed_hash(
    serving: Serving, alice: None, asked: list[str]
) -> None:
    """An index that is searched for a secret tells how much of it was right: it never is."""
    goal = {"goal": {"slug": "energy"}}
    right = serving.client.post(f"/beeminder/reminder/{HOOK}", json=goal)
    wrong = serving.client.post(f"/beeminder/reminder/{WRONG}", json=goal)
    link = serving.client.get(f"/login/{WRONG}")
    serving.client.post(f"/beeminder/deauthorized/{SECRET}", data={"access_token": WRONG})

    assert (right.status_code, wrong.status_code, link.status_code) == (202, 404, 400)
    assert any(serving.vault.fingerprint(HOOK) in one for one in asked)
    assert any(serving.vault.fingerprint(WRONG) in one for one in asked)
    assert not [one for one in asked if "canary" in one]


def test_fingerprints_need_the_key(serving: Serving) -> None:
    """Whoever has a copy of the database can't try guesses against it."""
    other = type(serving.vault)(["q" * 43 + "="])
    assert serving.vault.fingerprint(WRONG) != other.fingerprint(WRONG)
    assert len({len(serving.vault.fingerprint(text)) for text in ("", "a", WRONG, "x" * 500)}) == 1


@pytest.mark.parametrize("given", ["", "x", "x" * 43, "x" * 400, "\u00fc"])
def test_states_are_compared_whole(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """A state is never compared up to a first difference, whatever was sent for it."""
    ours, theirs = Counting(), Counting()
    monkeypatch.setattr(oauth, "hmac", ours)
    monkeypatch.setattr(source_links, "hmac", theirs)
    with serving.ledger.write() as session:
        session.add(User(id=7, username="bob", beeminder_id="u-bob"))
        session.flush()
        session.add(Source(user_id=7, name="boards", provider="bime"))
    visitors.connect(serving, serving.client, "bob")
    serving.client.get("/bime/connect/boards")
    serving.client.get("/bime/callback", params={"state": given, "code": "c"})
    serving.client.get("/beeminder/connect")
    ours.compared.clear()
    serving.client.get("/beeminder/callback", params={"state": given})

    assert ours.compared == theirs.compared == [(43, len(given.encode()))]


def test_the_token_of_a_form_is_compared_whole(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is ours, but was made for another session of the same person."""
    counted = Counting()
    with serving.ledger.write() as session:
        session.add(User(id=7, username="bob", beeminder_id="u-bob"))
    visitors.connect(serving, serving.client, "bob")
    with visitors.browser(serving) as other:
        visitors.connect(serving, other, "bob")
        foreign = visitors.token(other)
    monkeypatch.setattr(sessions, "hmac", counted)

    assert serving.client.post("/settings/hook", data={"csrf": foreign}).status_code == 403
    assert counted.compared == [(22, 22)]


def compared_plainly(path: Path) -> list[str]:
    """Where something by the name of a secret is compared with == or looked for with `in`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Compare):
            continue
        plain = any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)
        sides = [node.left, *node.comparators]
        names = {getattr(side, "id", getattr(side, "attr", "")) for side in sides}
        constant = any(isinstance(side, ast.Constant) for side in sides)
        if plain and not constant and names & NAMES:
            found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_no_secret_is_compared_plainly() -> None:
    """Neither in the door nor where tokens are kept does == decide about one."""
    files = [
        *(ROOT / "webhooks").rglob("*.py"),
        ROOT / "db" / "vault.py",
        ROOT / "db" / "people.py",
    ]
    assert [place for path in files for place in compared_plainly(path)] == []
