"""What a feed from BM Parts names: a kind of documents, or a place in an answer."""

import re
from typing import ClassVar

from pydantic import Field, field_validator, model_validator

from clients import bmparts_paths, json_pointer
from tasks.providers import MetricParams, ValueKind

_DOCUMENT_TYPE = re.compile("[0-9A-F]{8}")


class Documents(MetricParams):
    """Which documents."""

    type: str | None = Field(
        None,
        description="code of a kind of documents, 8 hex digits as `waggle source check` lists "
        "them; all kinds without it",
        examples=["00003A4D"],
    )

    def value_kind(self) -> ValueKind:
        """How many there are of a day."""
        return "total"

    @field_validator("type")
    @classmethod
    def _is_a_code(cls, given: str | None) -> str | None:
        code = None if given is None else given.strip().upper()
        if code is not None and not _DOCUMENT_TYPE.fullmatch(code):
            raise ValueError(
                f"{code[:40]!r} is no code of a kind of documents: write its 8 hex digits, such as "
                "00003A4D, as `waggle source check` lists them, and not its name"
            )
        return code


class Searches(MetricParams):
    """Nothing: all searches in the catalogue count."""

    def value_kind(self) -> ValueKind:
        """How many there were on a day."""
        return "total"


class Open(MetricParams):
    """Nothing: what is open now, all of it."""

    def value_kind(self) -> ValueKind:
        """How many there are now."""
        return "level"


class _Place(MetricParams):
    """A place in an answer."""

    paths: ClassVar[tuple[str, ...]] = ()

    path: str
    pointer: str = Field(
        description='JSON pointer (RFC 6901) to a number in the answer, such as "/terms/0/debt"'
    )

    @field_validator("pointer")
    @classmethod
    def _is_a_pointer(cls, given: str) -> str:
        if not json_pointer.parse(given):
            raise ValueError(
                "an empty pointer means the whole answer: name the number in it, such as "
                '"/terms/0/debt"'
            )
        if "-" in json_pointer.parse(given)[-1:]:
            raise ValueError(
                "a pointer that ends in - means the place behind the end of a list, where no value "
                "is: write the number of an item, 0 for the first"
            )
        return given


class Value(_Place):
    """A number that is read now."""

    path: str = Field(description="the call, with its slash: one of those that only read")
    period: bool = Field(
        default=False,
        description="ask for today's part only, where the call takes a period: "
        + ", ".join(bmparts_paths.PERIOD_PATHS),
    )

    def value_kind(self) -> ValueKind:
        """What was read."""
        return "level"

    @field_validator("path")
    @classmethod
    def _may_be_read(cls, given: str) -> str:
        if not bmparts_paths.may_be_read(given):
            raise ValueError(
                f"{given[:60]!r} is none of the calls that Waggle makes; choose one of "
                + ", ".join(bmparts_paths.named())
            )
        return given

    @model_validator(mode="after")
    def _period_is_taken(self) -> "Value":
        if self.period and self.path not in bmparts_paths.PERIOD_PATHS:
            raise ValueError(f"{self.path} takes no period; leave `period` out")
        return self


class Total(_Place):
    """A number that the answer about a day holds."""

    path: str = Field(
        description="the call, with its slash: " + " or ".join(bmparts_paths.PERIOD_PATHS)
    )

    def value_kind(self) -> ValueKind:
        """What happened on a day."""
        return "total"

    @field_validator("path")
    @classmethod
    def _takes_a_period(cls, given: str) -> str:
        if given not in bmparts_paths.PERIOD_PATHS:
            raise ValueError(
                f"{given[:60]!r} can't be asked about one day; choose "
                f"{' or '.join(bmparts_paths.PERIOD_PATHS)}, or the metric json_value for what is "
                "read now"
            )
        return given
