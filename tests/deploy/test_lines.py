"""No command line that we tell people rots: each is parsed by the command line itself."""

import contextlib
from pathlib import Path

import click
import pytest

from tests.deploy import lines
from worker.cli.main import cli

FOUND = list(lines.found())


def understood(group: click.Group, arguments: list[str], parent: click.Context | None) -> None:
    """Let click parse these arguments and those of the command they name; nothing is run."""
    with group.make_context(group.name, list(arguments), parent=parent) as context:
        name, command, rest = group.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None, name
        if isinstance(command, click.Group):
            understood(command, rest, context)
        else:
            command.make_context(name, rest, parent=context).close()


def test_there_are_command_lines_everywhere() -> None:
    """What looks for them finds them: in each kind of file, some."""
    places = {place.split()[0] for place, _ in FOUND}
    wanted = {"Procfile", "README.md", "deploy.md", "waggle.service", "waggle-web@.service"}
    assert places >= wanted | {path.name for path in lines.COMPOSE}


@pytest.mark.parametrize(("place", "arguments"), FOUND, ids=[place for place, _ in FOUND])
def test_a_command_line_is_understood(
    place: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every command, option and value is one that there is."""
    monkeypatch.chdir(tmp_path)
    for argument in arguments:
        if argument.endswith(".toml"):  # the file that it is about
            file = tmp_path / argument
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    with contextlib.suppress(click.exceptions.Exit):  # --help, --version
        understood(cli, arguments, None)
