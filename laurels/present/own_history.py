"""A user's history as the user sees it: without what the app's back end and operators wrote for themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from laurels.engine.own_history import APART, HIDDEN_KINDS, OwnHistory
from laurels.present.adjustments import AdjustmentResult
from laurels.present.badges import Explanation
from laurels.present.history import History, HistoryAdjustment, HistoryEntry, HistoryEvent

OWN_REASON, OWN_ACTOR = "by the user", "the user"
"""What is stored with adjustments that users apply to themselves."""


def own_history(shown: OwnHistory, history: History) -> History:
    """The history without exclusions, principals, actors, reasons and the data of events, except for what the catalog shows."""
    entries = [_own_entry(shown, entry) for entry in history.entries]
    return structs.replace(history, entries=[entry for entry in entries if entry is not None])


def own_explanation(shown: OwnHistory, found: Explanation) -> Explanation:
    """The explanation with its event as the user sees it."""
    return structs.replace(found, event=_own_event(shown, found.event)) if found.event else found


def own_result(result: AdjustmentResult) -> AdjustmentResult:
    """The answer for a user's own adjustment. The id may be that of an operator's, whose reason is not for the user."""
    return structs.replace(result, id=result.id.removeprefix(APART), reason=OWN_REASON, actor=OWN_ACTOR, principal=None)


def _own_entry(shown: OwnHistory, entry: HistoryEntry) -> HistoryEntry | None:
    adjustment = entry.adjustment
    if adjustment is not None and adjustment.kind in HIDDEN_KINDS:
        return None
    return structs.replace(
        entry,
        event=_own_event(shown, entry.event) if entry.event else None,
        adjustment=_own_adjustment(shown, adjustment) if adjustment else None,
    )


def _own_event(shown: OwnHistory, event: HistoryEvent) -> HistoryEvent:
    return structs.replace(event, data=_own_data(shown, event.data))


def _own_data(shown: OwnHistory, data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The keys that the catalog shows; None without any."""
    return {key: value for key, value in (data or {}).items() if key in shown.data} or None


def _own_adjustment(shown: OwnHistory, adjustment: HistoryAdjustment) -> HistoryAdjustment:
    own = (adjustment.reason, adjustment.actor) == (OWN_REASON, OWN_ACTOR)
    reason = adjustment.reason if own or adjustment.kind in shown.reasons else ""
    undo = adjustment.undo
    if undo:
        by_user = (undo.reason, undo.actor) == (OWN_REASON, OWN_ACTOR)
        undo = undo if by_user else structs.replace(undo, reason="", actor="")
        undo = structs.replace(undo, principal=None)
    shown_id = adjustment.id.removeprefix(APART)
    return structs.replace(
        adjustment, id=shown_id, reason=reason, actor=OWN_ACTOR if own else "", principal=None, undo=undo
    )
