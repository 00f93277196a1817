"""Whether the numbers of taken copies of limited badges are those of the awards, and correcting them."""

from __future__ import annotations

from laurels.present.verification import Difference
from laurels.service.core import Core

WHAT = "copies"


async def supply_differences(core: Core) -> list[Difference]:
    """The badges of limited supply of which another number of copies is stored than users have."""
    await core.rules.follow()
    ids = core.catalog.limited_ids
    if not ids:
        return []
    stored, counted = await core.store.counted_supplies(ids)
    return [
        Difference(
            user_id="", what=f"{WHAT} of {badge}", stored=str(stored.get(badge)), rebuilt=str(counted.get(badge, 0))
        )
        for badge in sorted({*ids.values()})
        if stored.get(badge) != counted.get(badge, 0)
    ]


async def fix_supplies(core: Core) -> int:
    """Store the numbers of copies that users have. Returns how many were wrong."""
    wrong = await supply_differences(core)
    if wrong:

        async def count() -> None:
            await core.store.count_supplies(core.catalog.limited_ids, core.rules.in_force.revision)

        await core.under_one_revision(count)
    return len(wrong)
