"""Nothing sleeps or tries again in a loop: what has to wait goes back to the ledger with a time."""

import ast
import builtins
import inspect
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clients import errors
from tests.test_conventions import PACKAGES, ROOT, modules

# Who may sleep, and for what. Everybody else hands the time to the ledger.
SLEEPERS = {
    "db/clock.py": "the one clock, for plans",
    "db/engine.py": "two processes that open a new SQLite file: a hundredth of a second",
    "tasks/ways.py": "the turn of a request, when it comes at once",
    "tasks/tokens.py": "somebody else's login that is about to end",
    "webhooks/holds.py": "a held request, until its data is there",
    "worker/life.py": "the heartbeat, and the end of a process",
    "worker/supervisor.py": "processes that end",
    "worker/demo.py": "a person who looks on",
}
# Commands wait for a worker, in front of a person; simulators are slow on request.
SLEEPING_PLACES = ("worker/cli/", "simulators/")

# Loops that go on after what may be gone the next time, each bounded, and why.
LOOPS = {("tasks/push.py", "send"): "one smaller batch after a 500"}
OF_CELERY = {"autoretry_for", "countdown", "eta", "retry_backoff"}
MAY_BE_GONE = {
    name
    for module in (errors, builtins, httpx)
    for name, value in vars(module).items()
    if inspect.isclass(value)
    and issubclass(value, errors.Transient | httpx.TransportError | OSError)
} | {"ClientError", "HTTPError", "DeferredError", "Exception", "BaseException"}
ENDLESS = {"range", "count", "repeat", "cycle"}  # loops over these may do the same thing again


def tree(path: Path) -> ast.Module:
    """A source file, parsed."""
    return ast.parse((ROOT / path).read_text())


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, with the last part of what is called."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2], node


def caught(handler: ast.ExceptHandler) -> set[str]:
    """The names of what a handler catches."""
    kind = handler.type
    if kind is None:
        return {"BaseException"}
    each = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return {ast.unparse(one).rpartition(".")[2] for one in each}


def leaves(body: list[ast.stmt]) -> bool:
    """Does this end the loop around it, whatever happens in it?"""
    last = body[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and leaves(last.body) and leaves(last.orelse)
    return isinstance(last, ast.Raise | ast.Return | ast.Break)


def may_repeat(node: ast.AST) -> bool:
    """Is this a loop that may do the same thing again? One over a list does another each time."""
    if isinstance(node, ast.For):
        made_by = node.iter.func if isinstance(node.iter, ast.Call) else node.iter
        return ast.unparse(made_by).rpartition(".")[2] in ENDLESS
    return isinstance(node, ast.While)


def goes_on(function: ast.AST) -> bool:
    """Has it such a loop that catches what may be gone the next time, and goes on?"""
    return any(
        caught(handler) & MAY_BE_GONE and not leaves(handler.body)
        for loop in ast.walk(function)
        if may_repeat(loop)
        for attempt in ast.walk(loop)
        if isinstance(attempt, ast.Try)
        for handler in attempt.handlers
    )


def loops(path: Path) -> set[tuple[str, str]]:
    """The functions of a file that try again in a loop."""
    return {
        (str(path), node.name)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and goes_on(node)
    }


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=str)
def test_only_who_is_named_sleeps(path: Path) -> None:
    """A thread that sleeps does no other work, and a wait that nobody can see is lost by a kill."""
    if str(path) in SLEEPERS or str(path).startswith(SLEEPING_PLACES):
        return
    assert [ast.unparse(node) for name, node in calls(path) if name == "sleep"] == []
    assert "from time import sleep" not in (ROOT / path).read_text()


def test_nobody_is_named_who_is_gone() -> None:
    """The lists above say what there is."""
    for name in (*SLEEPERS, *(path for path, _ in LOOPS)):
        assert (ROOT / name).exists()
    assert {each for path in modules("clients", "tasks") for each in loops(path)} >= set(LOOPS)


@pytest.mark.parametrize("path", modules("clients", "db", "tasks", "webhooks"), ids=str)
def test_nothing_tries_again_in_a_loop(path: Path) -> None:
    """Trouble that may pass ends a loop: the ledger knows when to go on, and for how long."""
    assert loops(path) <= set(LOOPS)


@pytest.mark.parametrize("path", modules("tasks", "worker"), ids=str)
def test_celery_retries_nothing(path: Path) -> None:
    """A bell is worth no second try, and a long wait on a broker comes back doubled."""
    keywords = {word.arg for _, node in calls(path) for word in node.keywords}
    assert not keywords & OF_CELERY
    assert [ast.unparse(node) for name, node in calls(path) if name == "retry"] == []


RETRIES = """
def ask():
    while True:
        try:
            return client.goals()
        except Unavailable:
            log()
"""


@pytest.mark.parametrize(
    ("was", "becomes", "found"),
    [
        ("", "", True),
        ("while True", "for _ in range(3)", True),
        ("Unavailable", "(ValueError, clients.errors.Transient)", True),
        ("Unavailable", "httpx.ConnectError", True),
        ("Unavailable", "Exception", True),
        ("log()", "if late: raise", True),
        ("while True", "for number in itertools.count()", True),
        ("while True", "for goal in goals", False),
        ("log()", "raise", False),
        ("Unavailable", "KeyError", False),
        ("while True", "if ready", False),
    ],
)
def test_a_loop_that_tries_again_would_be_found(was: str, becomes: str, *, found: bool) -> None:
    """The check itself: in whatever way the loop is written."""
    assert goes_on(ast.parse(RETRIES.replace(was, becomes, 1) if was else RETRIES)) is found
