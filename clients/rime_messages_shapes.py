"""Under which usual names something stands in messages, and which of them an object has.

There are dozens of names, and an object has few of them. Which, is told by its keys alone, and the
messages of a stream have the same keys again and again: so it is looked up once.
"""

from collections.abc import Iterable, Mapping

from clients.rime_messages_kinds import NAMES as KINDS
from clients.rime_models import ALIASES
from clients.values import value

Level = Mapping[str, object]

INNER = ("data", "payload", "body", "message", "event", "run", "step")
OWN = tuple(name for name in ALIASES["id"] if "run" not in name.lower())
# What stands anywhere; of several names the first counts.
PLACES: Mapping[str, tuple[str, ...]] = {
    "run": (*(name for name in ALIASES["id"] if name not in OWN), "run"),
    "step": ("step_id", "stepId", "node", "node_id", "table", "table_name", "tableName"),
    "step_name": ("step",),
    "attempt": ("attempt", "attempt_number", "attemptNumber", "try"),
    "retry": ("retry",),
    "at": (
        *("timestamp", "ts", "occurred", "occurred_at", "occurredAt", "updated_at", "updatedAt"),
        *("sent_at", "sentAt", "time", "at"),
    ),
    "seq": ("seq", "sequence", "sequence_number", "sequenceNumber"),
    "id": ("event_id", "eventId", "message_id", "messageId"),
    "wait": ("retry_after", "retryAfter"),
    "code": ("code",),
    "error": ("error",),
}
PERCENT = ("percent", "percentage", "pct", "progress_percent", "progressPercent")
PAIRS = (("value", "max"), ("current", "total"), ("completed", "total"), ("done", "total"))
STEPS_DONE = ("steps_completed", "stepsCompleted", "completed_steps", "completedSteps",
              "steps_done", "stepsDone")  # fmt: skip
STEPS_TOTAL = ("total_steps", "totalSteps", "steps_total", "stepsTotal", "step_count", "stepCount")
LISTS = ("steps", "tables")
# Where one of these stands, there is progress or a state.
CONTENT = frozenset(
    (
        *("progress", "max", "total", *ALIASES["status"], *ALIASES["rows"]),
        *(*PERCENT, *STEPS_DONE, *STEPS_TOTAL, *LISTS),
    )
)
_MOST = 256  # shapes that are kept, of objects with so many keys, whose lengths together come to:
_MOST_KEYS = 32
_LONGEST_KEYS = 512


@value
class Shape:
    """The names of ours that are among the keys of an object, each kind of them in its order.

    `places`: our name and theirs; of several for one of ours, the last that is no null counts.
    `content`: there is progress or a state. `single`: there is one key and no more.
    """

    inner: tuple[str, ...]
    kinds: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    content: bool
    single: bool
    own: tuple[str, ...]
    status: tuple[str, ...]
    rows: tuple[str, ...]
    percent: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    steps_done: tuple[str, ...]
    steps_total: tuple[str, ...]
    lists: tuple[str, ...]


_KNOWN: dict[tuple[str, ...], Shape] = {}


def shape(level: Level) -> Shape:
    """The shape of this object."""
    keys = tuple(level)
    known = _KNOWN.get(keys)
    return _learnt(keys) if known is None else known


def _learnt(keys: tuple[str, ...]) -> Shape:
    """A new one, kept where it is small: a server that makes up keys fills no memory."""
    there = frozenset(keys)

    def among(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in there)

    found = Shape(
        inner=among(INNER),
        kinds=among(KINDS),
        places=tuple(
            (field, name) for field, names in PLACES.items() for name in reversed(among(names))
        ),
        content=not CONTENT.isdisjoint(there),
        single=len(keys) == 1,
        own=among(OWN),
        status=among(ALIASES["status"]),
        rows=among(ALIASES["rows"]),
        percent=among(PERCENT),
        pairs=tuple(pair for pair in PAIRS if there.issuperset(pair)),
        steps_done=among(STEPS_DONE),
        steps_total=among(STEPS_TOTAL),
        lists=among(LISTS),
    )
    if len(keys) <= _MOST_KEYS and sum(map(len, keys)) <= _LONGEST_KEYS:
        if len(_KNOWN) >= _MOST:
            _KNOWN.clear()
        _KNOWN[keys] = found
    return found
