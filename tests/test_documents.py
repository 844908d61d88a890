"""What the documents point at has to be there."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from worker.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```(?:sh)?\n(.*?)```|`([^`\n]+)`", re.DOTALL)
COMMAND = re.compile(r"(?:^|: )waggle ([a-z]+)", re.MULTILINE)
TARGET = re.compile(r"^make ([a-z]+)", re.MULTILINE)


def anchors(document):
    """The names of a document's headings as they stand in links."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document):
    """Each relative link names a file of the repository, and a heading that the file has."""
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_exists(document):
    """Each `waggle …` and `make …` in code is one that there is."""
    text = document.read_text(encoding="utf-8")
    code = "\n".join(block or inline for block, inline in CODE.findall(text))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in COMMAND.findall(code):
        assert command in COMMANDS, f"waggle {command}"
    for target in TARGET.findall(code):
        assert f"\n{target}:" in makefile, f"make {target}"


@pytest.mark.parametrize("picture", sorted((ROOT / "docs").glob("*.svg")), ids=lambda p: p.name)
def test_every_picture_can_be_read_in_the_dark(picture):
    """Each drawing is well-formed, says in words what it shows, and has colours for both themes."""
    text = picture.read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 -- our own file
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert {"title", "desc"} <= names
    assert "prefers-color-scheme: dark" in text
