"""Reversing many events in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from laurels.commands.events import Applied, ReverseEvents
from laurels.engine.events import MAX_EVENT_ID, MAX_USER_ID, check_text
from laurels.errors import InvalidInput, LaurelsError
from laurels.present.adjustments import ReversalResult, reversal_result
from laurels.service.core import Core
from laurels.storage.contract import Source

USERS_AT_ONCE = 5
"""How many users share a transaction: each is read with all events, and others wait meanwhile."""


async def reverse_many(
    core: Core, events: Sequence[tuple[str, str]], reason: str, actor: str, source: Source
) -> list[ReversalResult | LaurelsError]:
    """See Admin.reverse_many."""
    results: dict[int, ReversalResult | LaurelsError] = {}
    by_user: dict[str, list[int]] = {}
    for number, (user_id, event_id) in enumerate(events):
        wrong = _wrong(user_id, event_id)
        if wrong:
            results[number] = wrong
        else:
            by_user.setdefault(user_id, []).append(number)
    now, users = await core.now(), [*by_user]
    for start in range(0, len(users), USERS_AT_ONCE):
        some = users[start : start + USERS_AT_ONCE]
        commands = [
            ReverseEvents(user_id, tuple(events[number][1] for number in by_user[user_id]), now, reason, actor, source)
            for user_id in some
        ]
        for user_id, answer in zip(some, await core.group_commit.submit(commands), strict=True):
            results |= _results(core, by_user[user_id], events, answer)
    return [results[number] for number in range(len(events))]


def _results(
    core: Core, numbers: Sequence[int], events: Sequence[tuple[str, str]], answer: object
) -> Mapping[int, ReversalResult | LaurelsError]:
    """The results of one user's events, by their places in the request."""
    if isinstance(answer, LaurelsError):
        return dict.fromkeys(numbers, answer)
    applied = cast(list[Applied], answer)
    return {
        number: reversal_result(core.shown, events[number][1], one)
        for number, one in zip(numbers, applied, strict=True)
    }


def _wrong(user_id: str, event_id: str) -> InvalidInput | None:
    """What is wrong with these ids."""
    try:
        check_text("userId", user_id, MAX_USER_ID)
        check_text("eventId", event_id, MAX_EVENT_ID)
    except InvalidInput as error:
        return error
    return None
