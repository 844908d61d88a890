"""The table of what workers count.

Like `db.models`: instants are UTC seconds, and no annotation is postponed.
"""

from sqlmodel import Field, SQLModel


class Tally(SQLModel, table=True):
    """A figure of all workers together: a count that only grows, or what was seen last.

    `subject` is a vendor or "", `outcome` what became of it or ""; both come from lists of our own
    (`db.tallies`), so there are few rows. `at` is when it changed last.
    """

    __tablename__ = "tally"

    name: str = Field(primary_key=True)
    subject: str = Field(default="", primary_key=True)
    outcome: str = Field(default="", primary_key=True)
    value: float = 0.0
    at: float = 0.0
