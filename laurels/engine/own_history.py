"""What users may read of their own history, beyond what every catalog shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from laurels.engine.events import MAX_EVENT_ID
from laurels.engine.parsing import Table, closest


@dataclass(frozen=True, slots=True)
class OwnHistory:
    """What the catalog shows users of what the app's back end and operators wrote.

    data     the keys of events' data that they see
    reasons  the kinds of adjustments whose reasons they see
    """

    data: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()


NOTHING_MORE = OwnHistory()

HIDDEN_KINDS = frozenset({"exclusion"})
"""Kinds of adjustments that users never see in their own history."""

APART = "laurels:own:"
"""How the id of a user's own adjustment begins where a hidden one has the id that the user sent.

So that a user cannot find out the ids of hidden adjustments: each id that they send works as one that is free.
"""

MAX_ADJUSTMENT_ID = len(APART) + MAX_EVENT_ID
"""The most characters of the id of an adjustment, a reversal's and a user's own included."""


def read_own_history(table: Table, kinds: Collection[str]) -> OwnHistory:
    """The table [own_history]; `kinds` are those of adjustments."""
    found = table.table("own_history") if table.has("own_history") else None
    if found is None:
        return NOTHING_MORE
    data = found.texts("data") if found.has("data") else ()
    reasons = found.texts("reasons") if found.has("reasons") else ()
    for kind in reasons:
        if kind not in kinds:
            found.fault("reasons", f"names the unknown kind '{kind}'", closest(kind, kinds))
    found.done()
    return OwnHistory(frozenset(data), frozenset(reasons))
