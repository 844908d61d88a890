"""What Beeminder holds of ours: a goal's datapoints, read page by page.

Pages are cut anew for every request, and points of one day have no order that is promised. A point
that somebody deletes, or an order that changes, between two pages moves another one across the
seam, unseen. So what takes more than one page is looked at until a look brings nothing new: a
point that is there must never be taken for one that a person deleted.
"""

from collections.abc import Callable

import clients
from clients.errors import UnexpectedResponse
from tasks import identity
from tasks.beeminder import Access

PER_PAGE = 300
PAGES_AT_MOST = 200
LOOKS_AT_MOST = 3
DEADLINE_SECONDS = 8.0
# How many Beeminder gives when nothing is asked for. What it gives at most stands nowhere, so only
# a page that is shorter than this is the last one for certain.
CERTAINLY_SHORT = 25


Between = Callable[[], object]


def ours(
    access: Access, slug: str, *, since: str | None = None, between: Between | None = None
) -> dict[str, clients.Datapoint]:
    """Our datapoints by requestid, those of the day `since` (YYYYMMDD) and later for certain.

    Earlier ones may be among them. Raises what `all_points` does.
    """
    return {
        point.requestid: point
        for point in all_points(access, slug, since=since, between=between)
        if point.requestid is not None and is_ours(point)
    }


def is_ours(point: clients.Datapoint) -> bool:
    """Did we write it? What Beeminder itself puts on a goal is never ours."""
    return identity.is_ours(point.requestid) and not (point.is_dummy or point.is_initial)


def all_points(
    access: Access, slug: str, *, since: str | None = None, between: Between | None = None
) -> list[clients.Datapoint]:
    """Everybody's datapoints, newest day first, down to the day `since` (YYYYMMDD) at least.

    `between` is called after each page: who has something better to do raises there.
    Raises the tree of `clients.errors` (`UnexpectedResponse` where the pages don't end), and
    `DeferredError` when a limit says to wait. https://api.beeminder.com/#get-datapoints
    """
    found: dict[str, clients.Datapoint] = {}
    for _ in range(LOOKS_AT_MOST):
        seen, pages = _look(access, slug, since, between or (lambda: None))
        news = seen.keys() - found.keys()
        found |= seen
        if pages == 1 or not news:
            break
    return sorted(found.values(), key=lambda point: (point.daystamp, point.id), reverse=True)


def _look(
    access: Access, slug: str, since: str | None, between: Between
) -> tuple[dict[str, clients.Datapoint], int]:
    """(points by Beeminder's id, how many pages they came on)."""
    found: dict[str, clients.Datapoint] = {}
    firsts: set[str] = set()
    before = CERTAINLY_SHORT
    for number in range(1, PAGES_AT_MOST + 1):
        page = _page(access, slug, number)
        between()
        # A first point that was one already: the server does not know about pages.
        if not page or page[0].id in firsts:
            return found, len(firsts)
        firsts.add(page[0].id)
        found |= {point.id: point for point in page}
        if len(page) < before or _is_past(page, since):
            return found, len(firsts)
        before = len(page)
    message = f"the datapoints of {slug} don't end after {PAGES_AT_MOST} pages of {PER_PAGE}"
    raise UnexpectedResponse(message)


def _is_past(page: list[clients.Datapoint], since: str | None) -> bool:
    """Do only earlier days follow? Where the page is not in the order asked for, it has to show."""
    if since is None:
        return False
    stamps = [point.daystamp for point in page]
    in_order = stamps == sorted(stamps, reverse=True)
    return (stamps[-1] if in_order else max(stamps)) < since


def _page(access: Access, slug: str, number: int) -> list[clients.Datapoint]:
    return access.call(
        lambda client: client.datapoints(slug, sort="daystamp", page=number, per=PER_PAGE),
        deadline=DEADLINE_SECONDS,
    )
