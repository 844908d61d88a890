"""Names that last: the `requestid` of a datapoint is made from business facts alone.

The same goal, account, metric, parameters and day give the same id after a lost database, a
renamed goal or an edited file, so a fact is one datapoint for ever. Letters, digits and hyphens
only, at most 64 characters: what every Beeminder client is known to use.
"""

import hashlib
import json
from typing import Any

PREFIX = "wg-"


def digest(
    *, goal_id: str, provider: str, account: str, metric: str, counting: dict[str, Any]
) -> str:
    """16 hexadecimal characters for what is counted on which goal; `account` never holds a key."""
    facts = json.dumps([goal_id, provider, account, metric, counting], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def requestid(feed_digest: str, fact: str) -> str:
    """The id of one datapoint: `fact` is the daystamp, or the source's record id."""
    safe = "".join(char if char.isascii() and char.isalnum() else "-" for char in fact)
    if safe != fact or len(safe) > 40:  # noqa: PLR2004 -- keeps the whole within 64 characters
        safe = hashlib.sha256(fact.encode()).hexdigest()[:32]
    return f"{PREFIX}{feed_digest}-{safe}"


def of_feed(candidate: str | None, feed_digest: str) -> bool:
    """Is this the id of a datapoint of the feed with this digest?"""
    return bool(candidate) and str(candidate).startswith(f"{PREFIX}{feed_digest}-")


def is_ours(candidate: str | None) -> bool:
    """Did we write the datapoint with this requestid? Everything else is never touched."""
    return bool(candidate) and str(candidate).startswith(PREFIX)
