"""What people agree on here, kept by a test: who imports whom, where tests stand, what is named."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

import clients
from clients import errors
from db import schema
from worker.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PACKAGES = ("clients", "db", "simulators", "tasks", "webhooks", "worker")

# Who may import whom. The line of a module goes before the one of its package.
MAY_IMPORT: dict[str, set[str]] = {
    "worker.settings": {"worker"},
    "worker.setting_types": {"worker"},
    "worker.setting_complaints": {"worker"},
    "worker.logs": {"worker"},
    "worker.redaction": set(),
    "clients": {"clients"},
    "db": {"db"},
    # The entry point: it puts the door and the process together.
    "webhooks.serve": {"webhooks", "db", "tasks", "clients", "worker"},
    "webhooks.serve_forms": {"webhooks", "db", "tasks"},
    "webhooks": {"webhooks", "db"},
    "tasks": {"tasks", "db", "clients"},
    "worker": {"worker", "webhooks", "tasks", "db", "clients", "simulators"},
    "simulators": {"simulators"},
}
LEAVES = {"worker.settings", "worker.logs"}  # what these import stands here beside them
LEAF_MODULES = {
    "worker.keyfiles",
    "worker.setting_types",
    "worker.setting_complaints",
    "worker.redaction",
}

# Tested through the module that puts them together.
TESTED_WITH = {
    "tasks/declared.py": "tests/tasks/test_declare.py",
    "db/backups.py": "tests/db/test_restoring.py",
    "db/leasing.py": "tests/db/test_events.py",
    "db/metadata.py": "tests/db/test_schema.py",
    "db/models.py": "tests/db/test_schema.py",
    "db/models_limits.py": "tests/db/test_schema.py",
    "db/models_notebook.py": "tests/db/test_schema.py",
    "db/models_pages.py": "tests/db/test_schema.py",
    "db/models_runs.py": "tests/db/test_schema.py",
    "db/models_points.py": "tests/db/test_schema.py",
    "db/models_tallies.py": "tests/db/test_schema.py",
    "db/states.py": "tests/db/test_schema.py",
    "db/taking.py": "tests/db/test_claiming.py",
}
BINARY = {".png", ".ico", ".jpg", ".woff2"}
TOP = {".md", ".toml", "Makefile", "Procfile"}
NAMED_BY_THEME = {"tests/clients/test_init.py"}  # __init__.py


def modules(*packages: str) -> list[Path]:
    """The source files of these packages, relative to the root."""
    return [
        path.relative_to(ROOT)
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if "__pycache__" not in path.parts
    ]


def dotted(path: Path) -> str:
    """`tasks/sync.py` as `tasks.sync`."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """Modules of ours that a file imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module or "")
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return {name for name in found if name.partition(".")[0] in (*PACKAGES, "tests", "bench")}


def written() -> Iterator[Path]:
    """Everything that people write by hand: sources, documents, examples, deployment."""
    for folder in (*PACKAGES, "tests", "bench", "docs", "examples", "deploy", ".ci"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix not in BINARY:
                yield path
    yield from (path for path in sorted(ROOT.glob("*")) if path.suffix in TOP or path.name in TOP)


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=str)
def test_a_module_imports_only_what_it_may(path: Path) -> None:
    """The arrows between the packages point one way."""
    name = dotted(path)
    allowed = next(MAY_IMPORT[key] for key in (name, name.split(".")[0]) if key in MAY_IMPORT)

    wrong = {other for other in imported(path) if other.partition(".")[0] not in allowed}

    assert wrong == set()


def test_the_leaves_import_nothing_but_their_own_parts() -> None:
    """Settings and logs can be used by anybody: they pull nothing of ours in."""
    for leaf in LEAVES | LEAF_MODULES:
        found = {
            other
            for other in imported(Path(*leaf.split(".")).with_suffix(".py"))
            if (ROOT / Path(*other.split("."))).with_suffix(".py").exists()
        }
        assert found <= LEAF_MODULES


@pytest.mark.parametrize("path", modules("clients", "db", "tasks"), ids=str)
def test_every_module_has_its_tests(path: Path) -> None:
    """`tasks/sync.py` has `tests/tasks/test_sync.py`; parts of a module are tested with it."""
    if path.name == "__init__.py" or "migrations" in path.parts:
        return
    words = path.stem.split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    tests = [Path("tests", path.parent, f"test_{name}.py") for name in names]
    tests.append(Path(TESTED_WITH.get(str(path), "nowhere")))

    assert any((ROOT / test).exists() for test in tests)


@pytest.mark.parametrize("path", modules("tests/clients", "tests/db", "tests/tasks"), ids=str)
def test_every_test_module_names_what_it_tests(path: Path) -> None:
    """`tests/tasks/test_sync_limits.py` is about `tasks/sync.py`; a name that is gone is found."""
    if not path.name.startswith("test_") or str(path) in NAMED_BY_THEME:
        return
    words = path.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    source = Path(*path.parent.parts[1:])

    assert any((ROOT / source / f"{name}.py").exists() for name in names)


@pytest.mark.parametrize("path", modules("tests"), ids=str)
def test_every_test_states_its_promise(path: Path) -> None:
    """Each test has a docstring that says what it tries to break, and each name stands once."""
    tests = [
        node
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and path.name.startswith("test_")
    ]

    assert [node.name for node in tests if not ast.get_docstring(node)] == []
    names = [node.name for node in tests]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", modules("tests/clients", "tests/db", "tests/tasks"), ids=str)
def test_no_test_sleeps(path: Path) -> None:
    """Clocks are arguments; only the rings of real processes poll."""
    calls = [ast.unparse(node) for node in ast.walk(ast.parse((ROOT / path).read_text()))]
    assert "time.sleep" not in calls


def test_every_client_error_is_in_the_tree() -> None:
    """Whoever catches ClientError catches all of them."""
    found = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and value.__module__ == errors.__name__
    ]
    assert len(found) > 8
    assert all(issubclass(value, errors.ClientError) for value in found)
    branches = (errors.Transient, errors.Permanent)
    assert all(issubclass(value, branches) for value in found if value is not errors.ClientError)


def test_the_errors_of_tasks_are_in_the_tree_as_well() -> None:
    """What tasks add to the tree says what to do next: transient or permanent."""
    for path in modules("tasks"):
        module = importlib.import_module(dotted(path))
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, errors.ClientError):
                assert value is errors.ClientError or issubclass(
                    value, errors.Transient | errors.Permanent
                )


def test_the_names_of_the_clients_are_sorted_and_there() -> None:
    """`clients` is the one package that re-exports."""
    assert clients.__all__ == sorted(clients.__all__)
    assert all(hasattr(clients, name) for name in clients.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_other_packages_have_empty_inits(package: str) -> None:
    """No code runs because a package is imported."""
    if package != "clients":
        assert [
            path
            for path in modules(package)
            if path.name == "__init__.py" and (ROOT / path).read_text().strip()
        ] == []


@pytest.mark.parametrize("path", modules(*PACKAGES, "tests", "bench"), ids=str)
def test_modules_stay_small_and_say_what_they_are_for(path: Path) -> None:
    """At most 400 lines, and a docstring at the top of whatever holds code."""
    text = (ROOT / path).read_text()
    assert len(text.splitlines()) <= 400
    assert not text.strip() or ast.get_docstring(ast.parse(text))
    assert path.stem not in {"utils", "helpers", "common", "misc"}


def test_every_process_of_the_procfile_is_a_command() -> None:
    """A host that reads the Procfile starts what there is."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    commands = dict(line.split(": ", 1) for line in lines)

    assert set(commands) == {"release", "web", "worker", "progress", "beat"}
    assert commands["release"] == "waggle migrate"
    assert all(command.startswith("waggle ") for command in commands.values())
    assert {command.split()[1] for command in commands.values()} <= set(COMMANDS)


def test_migrations_are_one_line() -> None:
    """One base, one head, and file names that sort in the order of the revisions."""
    script = ScriptDirectory(str(schema.MIGRATIONS))
    revisions = [found.revision for found in script.walk_revisions()][::-1]

    assert len(script.get_heads()) == len(script.get_bases()) == 1
    files = sorted(path.name for path in (schema.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert [name.partition("_")[0] for name in files] == revisions


FORBIDDEN = {
    "a path of somebody's machine": r"/(?:home|Users)/[\w.-]+/|/(?:root|work)/[\w.-]+",
    "a package registry": r"py(?:pi|thonhosted)\.org|registry\.npmjs",
    "a merge that was not ended": r"^(?:<{7}|>{7}) ",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_of_one_machine_is_written_down(what: str) -> None:
    """No file names a home folder or a registry: it would be wrong anywhere else."""
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    found = [
        f"{path.relative_to(ROOT)}: {match.group(0)}"
        for path in written()
        if path != Path(__file__)
        for match in pattern.finditer(path.read_text())
    ]
    assert found == []
