"""Entitlements: what a user has unlocked in the app, and by which levels and badges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from laurels.engine.catalog import Catalog
from laurels.engine.entitlements import Unlocked, unlocked
from laurels.engine.progress import Progress
from laurels.present.base import Answer


class Entitlement(Answer, frozen=True):
    """Something in the app that levels or badges unlock."""

    name: Annotated[str, Meta(description="As the catalog has it in `unlocks`")]
    levels: Annotated[list[int], Meta(description="The levels that unlock it, lowest first")]
    badges: Annotated[list[str], Meta(description="The ids of the badges that unlock it, in the order of the catalog")]


class Entitlements(Answer, frozen=True):
    """Everything that a user has unlocked at present, in the order of the catalog.

    `levels` and `badges` of each are those that the user has. An entitlement is lost with the last of them.
    """

    entitlements: list[Entitlement]


def entitlements_of(catalog: Catalog, progress: Progress) -> list[Entitlement]:
    """What a user has unlocked at present."""
    return shown_unlocks(unlocked(catalog, progress))


def unlocked_by(one: Entitlement) -> str:
    """What unlocks it, in words: 'level 3, bookworm'."""
    return ", ".join([*(f"level {number}" for number in one.levels), *one.badges])


def shown_unlocks(found: Iterable[Unlocked]) -> list[Entitlement]:
    """Unlocks as answers show them."""
    return [Entitlement(name=one.name, levels=[*one.levels], badges=[*one.badges]) for one in found]
