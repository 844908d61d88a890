"""Deeds: what somebody did on a page, written in the transaction that did it."""

from typing import Any

from sqlmodel import Session, col

from db import retention
from db.models_pages import Deed


def record(
    session: Session,
    *,
    at: float,
    actor: str,
    as_operator: bool,
    user_id: int | None,
    action: str,
    subject: str,
    details: dict[str, Any] | None = None,
    request_id: str | None = None,
) -> None:
    """Keep that `actor` did `action` to `subject`, which is of `user_id`. No secret goes in."""
    session.add(
        Deed(
            at=at,
            actor=actor,
            as_operator=as_operator,
            user_id=user_id,
            action=action,
            subject=subject,
            details=details or {},
            request_id=request_id,
        )
    )


def forget(session: Session, done_before: float) -> int:
    """Delete some of what was done before then; returns how many."""
    return retention.some(session, Deed, col(Deed.at) < done_before)
