"""How principals become columns and columns become principals, the same for every engine."""

from __future__ import annotations

from typing import Any

from laurels.storage.contract import Principal


def principal_of(kind: Any, name: str | None) -> Principal | None:
    """A principal from its two columns; None for a row of an earlier version."""
    return None if kind is None else Principal(kind, name or "")


def principal_columns(principal: Principal | None) -> tuple[str | None, str | None]:
    """The two columns of a principal."""
    return (principal.kind, principal.name) if principal else (None, None)
