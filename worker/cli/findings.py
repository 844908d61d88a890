"""What `waggle doctor` finds: one line for each thing that it looked at."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "odd", "red"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, in words, and what to do about it."""

    what: str
    state: State
    text: str
    remedy: str = ""
