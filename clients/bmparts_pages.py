"""Where a list of BM Parts ends, and how many different records it has.

No answer names a total or a next page. `per_page` is not honoured by every call, and neither is
`page`, so a page that is shorter than what was asked for proves nothing: a call that gives 30
whatever was asked would lose all that follows. A walk ends

- at an empty page,
- at a page on which nothing is new: the call ignores `page`, or gives its last page again,
- and with an error at the cap, for a part of a list is no count.

So a list that is not empty costs one request more than it has pages. What moves to the next page
while it is read (newest first, and something was added) is seen twice and counts once.
"""

import collections
from collections.abc import Iterator, Sequence

from clients import errors

PER_PAGE = 100  # the most that may be asked for
DEFAULT_PER_PAGE = 30  # what a call gives that ignores `per_page`
MOST_PAGES = 500
_FULL = (DEFAULT_PER_PAGE, PER_PAGE)


class Walk:
    """The pages of one list, seen one after the other. `what` names it in errors."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: collections.Counter[str] = collections.Counter()
        self._first = 0
        self._pages = 0

    @property
    def count(self) -> int:
        """How many records there are: of an id one, of equal ones without id all of a page."""
        return self._seen.total()

    @property
    def ids(self) -> frozenset[str]:
        """What tells them apart."""
        return frozenset(self._seen)

    def records(self) -> Iterator[str]:
        """Each record by its id, or by its content as often as there are equal ones."""
        return self._seen.elements()

    @property
    def next_page(self) -> int:
        """The number of the page to ask for. Raises UnexpectedResponse at the cap."""
        if self._pages >= MOST_PAGES:
            raise errors.UnexpectedResponse(
                f"BM Parts' list {self._what} has no end after {MOST_PAGES} pages, the cap here: "
                "nothing was counted",
                reason="too_many_pages",
            )
        return self._pages + 1

    def add(self, ids: Sequence[str], *, unnamed: bool = False) -> bool:
        """A page with these ids; is there another one to ask for?

        `unnamed`: the records have no ids, and what tells them apart is their content: two equal
        ones on a page are two. Raises UnexpectedResponse where a call ignores `page` and gives so
        many that it may have cut the list off.
        """
        found = collections.Counter(ids) if unnamed else collections.Counter(set(ids))
        news = found - self._seen
        again = self._pages == 1 and len(ids) == self._first and not news
        if again and len(ids) in _FULL:
            raise errors.UnexpectedResponse(
                f"BM Parts' list {self._what} repeats its first page of {len(ids)}: it ignores "
                "`page`, and there may be more than it shows",
                reason="cut_off",
            )
        self._seen |= found
        self._first = self._first or len(ids)
        self._pages += 1
        return bool(news)
