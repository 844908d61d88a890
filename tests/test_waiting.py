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
    "db/listening.py": "a thread of its own: hundredths of a second between two looks at a file",
    "db/schema_locks.py": "a migration whose tables are in use: those who use them go first",
    "tasks/probing.py": "a question of a person, who looks on: until Beeminder shows what was sent",
    "tasks/turns.py": "the turn of a request, when it comes at once",
    "tasks/tokens.py": "somebody else's login that is about to end",
    "tasks/live/follow.py": "the next read of a run and the next try of its stream, under a lease",
    "tasks/live/loop.py": "what is known of runs, written once a second",
    "webhooks/serve.py": "rounds of the loop, no time: who has come by the end is let in",
    "webhooks/streams.py": "browsers that are told of what changed, once a second",
    "worker/file_bells.py": "between two looks for a bell, where kombu would sleep as long",
    "worker/kit/bending.py": "a vendor that is slow on purpose",
    "webhooks/holds.py": "a held request, until its data is there",
    "worker/life.py": "the heartbeat, and the end of a process",
    "worker/forks.py": "a child that ends",
    "worker/supervisor.py": "processes that end",
    "worker/demo.py": "a person who looks on",
}
# Commands wait for a worker, in front of a person; simulators are slow on request.
SLEEPING_PLACES = ("worker/cli/", "simulators/")

# Loops that go on after what may be gone the next time, each bounded, and why.
LOOPS = {
    ("tasks/push.py", "send"): "one smaller batch after a 500",
    ("tasks/suspects.py", "run_alone"): "one suspect after the other, for a slice of time",
    (
        "tasks/runs.py",
        "discover",
    ): "one source after the other; the ledger has the next turn of each",
    ("clients/notifier.py", "_talk"): "the pipes of a process, to its end or that of its time",
    ("webhooks/streams.py", "parts"): "an event stream: when nothing came it says so",
    ("webhooks/solo.py", "_work"): "one job after the other; whoever waits for it has its error",
}
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


def swallows(function: ast.AST) -> bool:
    """Does it catch what may be gone the next time, and let its caller go on?"""
    return any(
        caught(handler) & MAY_BE_GONE and not isinstance(handler.body[-1], ast.Raise)
        for handler in ast.walk(function)
        if isinstance(handler, ast.ExceptHandler)
    )


def called(node: ast.AST, module: str) -> set[str]:
    """What is called in it, as `module.function`; a bare name is of this module."""
    names = {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    return {name if "." in name else f"{module}.{name}" for name in names}


def functions(files: dict[str, ast.Module]) -> dict[str, ast.AST]:
    """Every function of these modules, as `module.function`."""
    return {
        f"{module}.{node.name}": node
        for module, parsed in files.items()
        for node in ast.walk(parsed)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def repeating(files: dict[str, ast.Module]) -> set[str]:
    """The functions that try again in a loop, be it by calling one that hides what went wrong."""
    all_of_them = functions(files)
    hiding = {name for name, node in all_of_them.items() if swallows(node)}
    calls_of = {
        name: called(node, name.partition(".")[0]) & all_of_them.keys()
        for name, node in all_of_them.items()
    }
    while more := {name for name in calls_of.keys() - hiding if calls_of[name] & hiding}:
        hiding |= more
    return {
        name
        for name, node in all_of_them.items()
        if goes_on(node)
        or any(
            called(loop, name.partition(".")[0]) & hiding
            for loop in ast.walk(node)
            if may_repeat(loop)
        )
    }


def loops(package: str) -> set[tuple[str, str]]:
    """The functions of a package that try again in a loop, with their files."""
    files = {path.stem: (path, tree(path)) for path in modules(package)}
    found = repeating({stem: parsed for stem, (_, parsed) in files.items()})
    return {(str(files[name.partition(".")[0]][0]), name.rpartition(".")[2]) for name in found}


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
    assert loops("clients") | loops("tasks") | loops("webhooks") >= set(LOOPS)


@pytest.mark.parametrize("package", ["clients", "db", "tasks", "webhooks"])
def test_nothing_tries_again_in_a_loop(package: str) -> None:
    """Trouble that may pass ends a loop: the ledger knows when to go on, and for how long."""
    assert loops(package) - set(LOOPS) == set()


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


DRAINS = """
def drain():
    while one():
        pass

def one():
    ask()
    return True

def ask():
    try:
        client.goals()
    except Unavailable:
        return
"""


@pytest.mark.parametrize(
    ("was", "becomes", "found"),
    [
        ("", "", True),
        ("while one()", "while more and tasks.one()", False),  # of another package
        ("while one()", "while here.one()", True),
        ("return\n", "put_back()\n", True),
        ("return\n", "raise\n", False),
        ("Unavailable", "KeyError", False),
        ("while one()", "if one()", False),
        ("while one()", "while two()", False),
    ],
)
def test_a_loop_over_what_hides_its_trouble_would_be_found(
    was: str, becomes: str, *, found: bool
) -> None:
    """Nothing is caught in the loop itself: whoever is called by whom it calls says `all done`."""
    source = ast.parse(DRAINS.replace(was, becomes, 1) if was else DRAINS)
    assert repeating({"here": source}) == ({"here.drain"} if found else set())
