"""What is written down of a list of Bime: sightings of records, and a few small values. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from clients.bime_models import Dashboard, Record, Resource
from db.notebook import Sighting

Facet = Literal["created", "updated", "published"]
"""What is counted of a list, and so what all of its records have to show."""

FIELDS: dict[Facet, str] = {
    "created": "created_at",
    "updated": "updated_at",
    "published": "is_published",
}
FORMAT = 1  # another number for another shape: an older one is not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What a whole list came to.

    `facets`: what can be counted of it, since no record lacks the field. `published`: how many
    dashboards are. `since`: the instant (UTC seconds) from which on changes were looked for.
    """

    count: int
    facets: frozenset[str]
    published: int
    since: float

    def as_json(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "format": FORMAT,
            "count": self.count,
            "facets": sorted(self.facets),
            "published": self.published,
            "since": self.since,
        }

    @classmethod
    def from_json(cls, found: object) -> "Derived | None":
        """As it was written down; None for anything else, an older version's notes for one."""
        match found:
            case {
                "format": int(form),
                "count": int(count),
                "facets": list(facets),
                "published": int(published),
                "since": float(since) | int(since),
            } if form == FORMAT and all(isinstance(facet, str) for facet in facets):
                return cls(
                    count=count, facets=frozenset(facets), published=published, since=float(since)
                )
        return None


def derive(records: Sequence[Record], *, known: Derived | None, now: float) -> Derived:
    """What these records come to. `known`: what was written down before."""
    facets = {facet for facet, name in FIELDS.items() if lacking(records, name) is None}
    distinct = {record.id: record for record in records}
    since = known.since if known is not None and "updated" in known.facets else now
    return Derived(
        count=len(distinct),
        facets=frozenset(facets),
        published=sum(
            isinstance(record, Dashboard) and bool(record.is_published)
            for record in distinct.values()
        ),
        since=since,
    )


def lacking(records: Sequence[Record], name: str) -> int | None:
    """The place of the first record without that field, None where all have it."""
    for place, record in enumerate(records):
        if getattr(record, name, None) is None:
            return place
    return None


def created(records: Sequence[Record], derived: Derived) -> list[Sighting]:
    """Each record at its creation: it counts once."""
    if "created" not in derived.facets:
        return []
    return [Sighting(one.id, one.created_at) for one in records if one.created_at is not None]


def updated(records: Sequence[Record], derived: Derived) -> list[Sighting]:
    """Each record at its latest change: it counts on the day of each change that was seen."""
    if "updated" not in derived.facets:
        return []
    return [Sighting(one.id, one.updated_at) for one in records if one.updated_at is not None]


def kind(resource: Resource, facet: Facet) -> str:
    """How the notebook calls a set of sightings."""
    return f"{resource} {facet}"
