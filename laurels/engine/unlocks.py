"""Unlocks: the names of what a level or a badge unlocks in the app, as the catalog lists them."""

from __future__ import annotations

from laurels.engine.events import MAX_NAME
from laurels.engine.parsing import Table, excerpt


def read_unlocks(table: Table, key: str = "unlocks") -> tuple[str, ...]:
    """The list under `key`; it may be missing."""
    if not table.has(key):
        table.asked.add(key)
        return ()
    names = table.texts(key)
    for name in names:
        if len(name) > MAX_NAME:
            table.fault(key, f"has the name '{excerpt(name)}' of {len(name)} characters", f"write at most {MAX_NAME}")
        if name != name.strip():
            table.fault(key, f"has the name '{excerpt(name)}' with spaces around it", "take them out")
    return names
