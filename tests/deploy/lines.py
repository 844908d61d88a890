"""Every command line of Waggle's that stands in deploy/, the Procfile and the documents."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = sorted(DEPLOY.glob("compose*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
FENCED = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Wherever it is installed. It is the program of a line at its start, or behind what runs it.
PROGRAM = re.compile(r"^(?:[\w./$-]*/)?waggle$")
RUNNERS = {"sudo", "env", "exec", "ssh", "docker", "systemd-run"}
BETWEEN = {"&&", "||", "|", ";", ">", "&"}
ASSIGNED = re.compile(r"^[A-Z_]+=")


def compose(path: Path) -> dict[str, Any]:
    """A compose file."""
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return found


def found() -> Iterator[tuple[str, list[str]]]:
    """Where it stands, and the arguments behind `waggle`."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        yield f"Procfile {name}", _behind(command)
    for path in COMPOSE:
        for name, service in compose(path)["services"].items():
            if service["image"].startswith("waggle:"):
                yield f"{path.name} {name}", list(service["command"])
    for path in UNITS:
        (command,) = re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)
        # `%i` is what stands behind the @; the only numbers we give are ports.
        yield path.name, _behind(command.replace("%i", "8000"))
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for arguments in _in_a_document(path.read_text(encoding="utf-8")):
            yield f"{path.name} {' '.join(arguments)}", arguments


def _in_a_document(text: str) -> Iterator[list[str]]:
    for block in FENCED.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for command in _split(line):
                at = max((n for n, word in enumerate(command) if PROGRAM.match(word)), default=None)
                if at is not None and (at == 0 or command[0] in RUNNERS):
                    yield command[at + 1 :]


def _split(line: str) -> Iterator[list[str]]:
    """The commands of a line, each as its words; settings in front of one are left out."""
    try:
        words = shlex.split(line.removeprefix("$ "), comments=True)
    except ValueError:  # a text in a console, and no command
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if word in BETWEEN:
            yield command
            command = []
        elif command or not ASSIGNED.match(word):
            command.append(word)


def _behind(line: str) -> list[str]:
    program, *arguments = shlex.split(line)
    assert PROGRAM.match(program), line
    return arguments
