"""Asking before something is changed that is not ours to change."""

import sys
from collections.abc import Sequence

import click

from worker.cli import failures, output


def agreed(questions: Sequence[str], *, yes: bool, can_ask: bool = True) -> list[bool]:
    """The answer to each question; `yes` (--yes) answers all of them.

    Raises `Failed` where nobody is there to answer; call it before anything is changed.
    """
    if yes or not questions:
        return [True] * len(questions)
    if not can_ask or not somebody():
        asked = " ".join(output.plain(question) for question in questions)
        raise failures.Failed(
            f"{asked} Nobody is here to answer, so nothing was changed: --yes says yes"
        )
    return [click.confirm(output.plain(question), err=True) for question in questions]


def somebody() -> bool:
    """Is a person at the terminal?"""
    return sys.stdin.isatty()
