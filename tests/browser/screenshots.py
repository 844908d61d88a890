"""`make screenshots`: pictures of the pages, of an installation that is lived in, into `docs`.

A picture is at most 150 KB: a palette of 256 colours does for pages, where `pngquant` is at hand.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

from tests.blackbox.house import House
from tests.browser import chromium, people, scenery

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
DESK = {"width": 1160, "height": 820}
PHONE = {"width": 390, "height": 780}
MOST_BYTES = 150_000
SETTLES_MS = 2_500  # the first event of a stream, and what htmx asks for


def at(path: str) -> Callable[[Page, House], object]:
    """A page by its address."""
    return lambda page, house: page.goto(f"{house.url}{path}")


def previewed(page: Page, house: House) -> None:
    """The fourth step of linking a goal: two weeks of it."""
    chosen = {
        "source": "plant",
        "metric": "timeseries_aggregate",
        "p.timeseries": str(house.series),
        "goal": "heating",
    }
    page.goto(f"{house.url}/link/preview?{urlencode(chosen)}")
    people.shown(page, "at Beeminder")


SHOTS: dict[str, tuple[str, Callable[[Page, House], object]]] = {
    "home": ("alice", at("/")),
    "feed": ("alice", at("/feeds/alice/energy")),
    "link": ("alice", previewed),
    "runs": ("alice", at("/runs")),
    "operator": ("olive", at("/operator")),
}


def take(browser: Browser, house: House, name: str, theme: str, size: dict[str, int]) -> Path:
    """One picture."""
    who, go = SHOTS[name]
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]  # a size is a size
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id="Europe/Paris",
        locale="en-GB",
    )
    page = context.new_page()
    people.sign_in(page, house, who)
    go(page, house)
    page.wait_for_timeout(SETTLES_MS)
    kind = "phone" if size is PHONE else theme
    file = FOLDER / f"{name}-{kind}.png"
    page.screenshot(path=file)
    context.close()
    if (program := shutil.which("pngquant")) is not None:
        subprocess.run([program, "--force", "--ext", ".png", "--strip", file], check=True)
    return file


def main() -> int:
    """Take all of them, or those that are named; exit status 1 when one is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SHOTS, default=list(SHOTS))
    given = parser.parse_args()
    program = chromium.found()
    if program is None:
        print("there is no chromium (Debian: chromium), or CHROMIUM names none", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = []
    with (
        tempfile.TemporaryDirectory(prefix="waggle-pictures-") as folder,
        scenery.lived_in(Path(folder)) as house,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=program, args=chromium.arguments())
        for name in given.only:
            files += [take(browser, house, name, theme, DESK) for theme in ("light", "dark")]
        if "home" in given.only:
            files.append(take(browser, house, "home", "light", PHONE))
        browser.close()
    large = [file for file in files if file.stat().st_size > MOST_BYTES]
    for file in files:
        print(f"{file.stat().st_size / 1000:6.1f} KB  {file.name}")
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
