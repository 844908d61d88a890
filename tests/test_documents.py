"""What the documents point at has to be there."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tasks import policy
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


WORK = {
    "SYNC": "a feed: read, and what is to be sent",
    "CALLBACK": "a callback whose goal is looked up",
    "DEAUTHORIZE": "an app's access that was taken back",
    "BACKFILL": "past days",
    "RECONCILE": "a comparison with Beeminder",
    "DATASOURCE": "a goal's data source",
    "TELL": "a message to a person",
    "ERRAND": "what a page asks",
    "LIMITED": "a refusal that names no time",
}
ENDED = (policy.CALLBACK, policy.BACKFILL, policy.TELL, policy.ERRAND)  # by what has to be mended


def seconds(value):
    """Seconds in the largest unit in which they are whole, as a person would write them."""
    for unit, name in ((policy.DAY, "day"), (policy.HOUR, "h"), (policy.MINUTE, "min"), (1, "s")):
        if value >= unit and value % unit == 0:
            many = "s" if name == "day" and value > unit else ""
            return f"{value / unit:.0f} {name}{many}"
    return f"{value:g} s"


def in_words(how):
    """What a policy says, in the words of the table."""
    grows = seconds(how.late)
    if how.young_for > 0 and how.early != how.late:
        grows = f"{seconds(how.early)}; {grows} once it has lasted {seconds(how.young_for)}"
    free = "all"
    if how.deferrals < math.inf:
        free = f"the first {how.deferrals}, and all within {seconds(how.deferred_for)}"
    mend = f"{'looked at' if how.stops else 'tried'} again after {seconds(how.look_again)}"
    given_up = "never"
    if how.dead_after < math.inf:
        tries = f", {how.dead_tries} tries" if how.dead_tries else ""
        given_up = f"after {seconds(how.dead_after)}{tries}"
    return [
        f"{seconds(how.floor)} to {seconds(how.first)}",
        grows,
        free,
        "ends it" if how in ENDED else mend,
        given_up,
    ]


def test_the_table_of_retries_is_the_one_of_the_code():
    """Each kind of work with its pauses, ceilings and ends, as the code has them, and no other."""
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    told = {row[0]: row[1:] for row in rows if row[0] in WORK.values()}
    kinds = {name: how for name, how in vars(policy).items() if isinstance(how, policy.Policy)}

    assert kinds.keys() == WORK.keys()
    for name, how in kinds.items():
        words = in_words(how)
        # How long to stay away after a refusal is all that is decided by this one.
        assert told[WORK[name]] == (words if name != "LIMITED" else [*words[:2], "", "", ""])
