"""Values: plain data that never changes after it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def plain(kind: type[T]) -> type[T]:
    """A dataclass with slots that only the type checker keeps frozen; `dataclasses.replace` makes changed copies.

    For values that are made for every event or request: `frozen=True` makes creating one five times slower, which was a tenth
    of the time of a write. What is made once, such as a catalog, is a real frozen dataclass.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
