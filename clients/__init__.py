"""Clients of the vendors' APIs; they know nothing of what is done with the answers."""

from clients.bearer import TokenSource
from clients.beeminder import BeeminderClient
from clients.beeminder_models import (
    BatchOutcome,
    Datapoint,
    Goal,
    GoalWithRoad,
    NewDatapoint,
    Token,
    User,
    Written,
)
from clients.bemserver import BemserverClient
from clients.bemserver_models import Campaign, Timeseries, TokenPair
from clients.bemserver_query import ById, ByName
from clients.bime import BimeClient
from clients.bmparts import BmpartsClient
from clients.errors import (
    AuthFailed,
    ClientError,
    Forbidden,
    NotFound,
    Permanent,
    RateLimited,
    Rejected,
    Transient,
    Unavailable,
    UnexpectedResponse,
)
from clients.etags import EtagCache, MemoryEtagCache
from clients.rime import RimeClient
from clients.rime_auth import RimeTokens

__all__ = [
    "AuthFailed",
    "BatchOutcome",
    "BeeminderClient",
    "BemserverClient",
    "BimeClient",
    "BmpartsClient",
    "ById",
    "ByName",
    "Campaign",
    "ClientError",
    "Datapoint",
    "EtagCache",
    "Forbidden",
    "Goal",
    "GoalWithRoad",
    "MemoryEtagCache",
    "NewDatapoint",
    "NotFound",
    "Permanent",
    "RateLimited",
    "Rejected",
    "RimeClient",
    "RimeTokens",
    "Timeseries",
    "Token",
    "TokenPair",
    "TokenSource",
    "Transient",
    "Unavailable",
    "UnexpectedResponse",
    "User",
    "Written",
]
