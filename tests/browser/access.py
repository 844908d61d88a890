"""Whether people can use a page: axe-core, the keyboard, and a narrow window."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
RUN = """async (rules) => {
  const found = await axe.run(document, {runOnly: {type: "tag", values: rules}});
  return found.violations;
}"""
# Everything that can be acted upon, as a list that the page keeps; of a group of radio buttons the
# keyboard comes to one. What is in a closed <details> is not there yet.
COLLECT = """() => {
  const all = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const groups = new Set();
  window.reachable = [...document.querySelectorAll(all)].filter((each) => {
    if (each.disabled || each.tabIndex < 0 || !each.checkVisibility({visibilityProperty: true})) {
      return false;
    }
    if (each.type !== "radio") return true;
    const group = `${each.form && [...document.forms].indexOf(each.form)} ${each.name}`;
    if (groups.has(group)) return false;
    groups.add(group);
    return true;
  });
  return window.reachable.map((each) => each.outerHTML.slice(0, 160));
}"""
# Where the focus is in that list, and whether anybody can see it there.
FOCUSED = """() => {
  const here = document.activeElement;
  const same = (each) => each === here
    || (!each.isConnected && each.outerHTML === here.outerHTML)  // the page was kept up to date
    || (each.type === "radio" && here.type === "radio" && each.name === here.name
        && each.form === here.form);
  const style = getComputedStyle(here);
  const ring = style.outlineStyle === "auto"
    || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  const box = here.getBoundingClientRect();
  const seen = box.width > 0 && box.right > 0 && box.bottom > 0
    && box.left < innerWidth && box.top < innerHeight;
  return {place: window.reachable.findIndex(same), ring, seen, what: here.outerHTML.slice(0, 160)};
}"""
WIDER = """() => {
  const room = innerWidth;
  const wide = [...document.querySelectorAll("body *")].filter((each) => {
    const box = each.getBoundingClientRect();
    return box.right > room + 1 && box.width > 1;
  });
  return document.scrollingElement.scrollWidth <= room
    ? [] : wide.slice(-3).map((each) => each.outerHTML.slice(0, 160));
}"""


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is shown now."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate(RUN, RULES)
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for each in found
        for node in each["nodes"][:3]
    ]


def unreachable(page: Page) -> list[str]:
    """What the Tab key does not come to, or where nobody sees that it has."""
    names: list[str] = page.evaluate(COLLECT)
    missed, wrong = set(range(len(names))), []
    page.evaluate("() => document.activeElement.blur()")
    parts = 5 * (1 + page.locator("input[type=date]").count())  # day, month, year, the calendar
    for _ in range(len(names) + parts):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUSED)
        if focus["place"] in missed:
            missed.discard(focus["place"])
            if not (focus["ring"] and focus["seen"]):
                wrong.append(f"its focus can't be seen: {focus['what']}")
    return [f"Tab does not come to it: {names[place]}" for place in sorted(missed)] + wrong


def too_wide(page: Page) -> list[str]:
    """What makes the window scroll sideways."""
    found: list[str] = page.evaluate(WIDER)
    return found
