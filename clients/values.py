"""Values that thousands are made of in a second."""

import dataclasses
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(
    kw_only_default=True, frozen_default=True, field_specifiers=(dataclasses.field,)
)
def value(cls: type[T]) -> type[T]:
    """A dataclass with slots and keywords only, that nobody changes: mypy sees to it.

    One that is frozen while it runs asks `object` to set each of its fields, and costs three times
    as much to make.
    """
    return dataclasses.dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
