"""Kinds of points in addition to the contract's: what a user earned and can spend of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from laurels.engine.catalog import Catalog
from laurels.engine.progress import Progress
from laurels.present.base import Answer


class KindBalance(Answer, frozen=True):
    """What a user earned of a kind of points, and what of it can be spent."""

    kind: Annotated[str, Meta(description="The name of the kind in the catalog")]
    one: Annotated[str, Meta(description="The word for one")]
    many: Annotated[str, Meta(description="The word for several")]
    earned: Annotated[int, Meta(description="How many were earned, whether or not they were spent")]
    balance: Annotated[int, Meta(description="How many can be spent; below 0 if spent ones were taken back")]


def kind_balances(catalog: Catalog, progress: Progress) -> Sequence[KindBalance]:
    """Every kind of points of the catalog, in its order."""
    return [
        KindBalance(
            kind=kind.name,
            one=kind.one,
            many=kind.many,
            earned=kind.earned(progress),
            balance=kind.balance(progress),
        )
        for kind in catalog.kinds.values()
    ]
