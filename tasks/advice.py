"""What a person does about an error that does not go away by itself. Pure.

Errors of ours bring their own advice. What a vendor says is the vendor's: it tells what is wrong
there, not where it is mended here.
"""

from collections.abc import Mapping

from clients.errors import (
    AuthFailed,
    ClientError,
    Forbidden,
    NotFound,
    Rejected,
    UnexpectedResponse,
)

SOURCE = "source "  # how an error of a source begins to say where it was met
COMMAND = "`waggle "  # what names a command says what to do
ADVISED = {"goal_not_found"}  # as do the texts of these reasons

AT_A_SOURCE: Mapping[type[ClientError], str] = {
    AuthFailed: "put the right login or key into the file and `waggle apply` it",
    Forbidden: "let its login read that, or choose something else in the feed's `params`",
    NotFound: "choose what is there in the feed's `params`, and `waggle apply` the file",
    Rejected: "correct the feed's `metric` or `params` in the file, and `waggle apply` it",
    UnexpectedResponse: (
        "Waggle looks again by the feed's schedule; if this stays, is the source's `url` right?"
    ),
}
AT_BEEMINDER: Mapping[type[ClientError], str] = {
    Forbidden: "is it still this person's goal? Connect again, or link another goal",
    NotFound: "is the goal still there? Link another one if not",
    Rejected: "look at the goal there; `waggle resume` tries again at once",
    UnexpectedResponse: (
        "Waggle looks again by the feed's schedule; `waggle doctor` says whether Beeminder answers"
    ),
}


def of(error: ClientError, *, where: str) -> str | None:
    """What to do about it; None where there is nothing, or where the error says so itself.

    `where`: whose fault it is, as it is told ("source plant", "Beeminder").
    """
    if error.reason in ADVISED or COMMAND in str(error):
        return None
    table = AT_A_SOURCE if where.startswith(SOURCE) else AT_BEEMINDER
    return table.get(type(error))  # of exactly this kind: subclasses are ours
