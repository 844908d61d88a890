"""The states that rows of the ledger go through, and what goes first when they are claimed."""

from enum import IntEnum, StrEnum

# What is sent of a feed's days, in its `cursor["shape"]`, where one day builds on those before it.
RUNNING_TOTAL, DIFFERENCE = "running_total", "difference"


class Lane(IntEnum):
    """What goes first when rows are claimed; each lane is a queue of the same name."""

    URGENT = 0
    DEFAULT = 1
    BULK = 2


class UserState(StrEnum):
    """Whether we may write for a person."""

    ACTIVE = "active"
    REAUTHORIZE = "reauthorize"
    DEAUTHORIZED = "deauthorized"


class SourceState(StrEnum):
    """Whether a source answers us."""

    ACTIVE = "active"
    FAILING = "failing"
    REAUTHORIZE = "reauthorize"


class FeedState(StrEnum):
    """Whether a feed is synced, and who stopped it."""

    ACTIVE = "active"
    PAUSED = "paused"  # by a person; only a person resumes it
    FAILING = "failing"  # by Waggle; wakes when the cause is gone
    STOPPED = "stopped"  # unlinked or de-authorized


class Work(StrEnum):
    """What a feed is leased for."""

    SYNC = "sync"
    PUSH = "push"
    BACKFILL = "backfill"
    RECONCILE = "reconcile"


class EventKind(StrEnum):
    """What came in."""

    AUTOFETCH = "autofetch"
    REMINDER = "reminder"
    SYNC = "sync"  # a person asked
    DEAUTHORIZED = "deauthorized"


class EventState(StrEnum):
    """How far an event has come."""

    RECEIVED = "received"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"


class DatapointState(StrEnum):
    """How far a datapoint has come."""

    PENDING = "pending"
    HELD = "held"
    LANDED = "landed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class BackfillState(StrEnum):
    """How far a backfill has come."""

    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunState(StrEnum):
    """How a run stands, in our words; all but the first are ends."""

    RUNNING = "running"
    COMPLETED = "completed"
    PARTIALLY_FAILED = "partially_failed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Stream(StrEnum):
    """What the socket of a run does."""

    NONE = "none"  # none is set up: the run is read again and again
    OPEN = "open"
    RETRYING = "retrying"
    GIVEN_UP = "given_up"  # reading goes on


class ErrandKind(StrEnum):
    """What a page asks of a vendor, or has done there."""

    GOALS = "goals"
    LOOK = "look"
    CHECK = "check"
    PREVIEW = "preview"
    LINK = "link"
    UNLINK = "unlink"
    MANUAL = "manual"
    UNDO = "undo"
    LEAVE = "leave"


class ErrandState(StrEnum):
    """How far an errand of a page has come."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class MessageState(StrEnum):
    """How far a message to a person has come."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class ChannelState(StrEnum):
    """Whether messages arrive there."""

    ACTIVE = "active"
    FAILING = "failing"
