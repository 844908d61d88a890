"""The trail of a gate: how many requests had passed it by when. Pure.

A vendor that refuses seldom says in which window it counts. When it began can be told afterwards
by what was served since each of some earlier moments. Kept are those at which the requests became
more frequent than ever before, since no other one can have seen more of them per second; and some
of the others, the older the further apart. So a trail is short however long it reaches back.
"""

import math
from collections.abc import Sequence

APART = 1.0  # seconds between two marks at least
COARSER = 0.25  # that part of its age lies between the neighbours of a mark
STEADY_SECONDS = 120.0  # for so long even requests that came evenly are marked
REMEMBERED = 86400.0

Mark = tuple[float, int]
"""(UTC seconds, how many requests had passed before)."""


def marked(trail: Sequence[Mark], at: float, count: int) -> list[Mark] | None:
    """The trail with one more request at `at`, before which `count` had passed.

    None: the last mark is so near that it stands for this one as well.
    """
    if trail and at - trail[-1][0] < APART:
        return None
    marks = [*((then, passed) for then, passed in trail if at - then <= REMEMBERED), (at, count)]
    corners, kept = set(_corners(marks)), [marks[-1]]
    for mark, before in zip(reversed(marks[:-1]), [*reversed(marks[:-2]), None], strict=False):
        age = at - mark[0]
        # Left out, would it leave a gap that is wide for its age?
        gap = math.inf if before is None else kept[-1][0] - before[0]
        if mark in corners or (age <= STEADY_SECONDS and gap >= COARSER * age):
            kept.append(mark)
    return kept[::-1]


def _corners(marks: Sequence[Mark]) -> list[Mark]:
    """Marks from which on requests were more frequent than before: the lower convex hull."""
    hull: list[Mark] = []
    for at, count in marks:
        while len(hull) > 1:
            (then, passed), (last, last_passed) = hull[-2:]
            if (last_passed - passed) * (at - last) < (count - last_passed) * (last - then):
                break
            hull.pop()
        hull.append((at, count))
    return hull
