"""Everything that an operator sees about one user."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from laurels.engine.validity import with_valid_badges
from laurels.present.badges import Explanation, explanations, next_badges, shown_badges
from laurels.present.base import Answer, UtcTime
from laurels.present.entitlements import Entitlement, entitlements_of
from laurels.present.history import history
from laurels.present.profiles import Profile, ProfileMaker, UserRank
from laurels.present.streaks import user_streaks
from laurels.present.users import User, user
from laurels.storage.contract import UserDetails


class UserOverview(Answer, frozen=True):
    """Everything about one user, from one snapshot of the database.

    `profile` includes `balance`, `rank`, `next` (all badges that can still be earned), `streaks` and `history`. `explanations`
    has one entry for each badge that the user sees. `entitlements` is what the user has unlocked. `outdated`: the user's
    progress was made under other rules, or before the latest amnesty, and is brought up to date when the user is next read or
    written. `erase_at` is when the user is to be erased; None: no erasure is pending.
    """

    user: User
    profile: Profile
    explanations: list[Explanation]
    excluded: bool
    outdated: bool
    erase_at: UtcTime | None = None
    entitlements: Sequence[Entitlement] = ()


def user_overview(
    maker: ProfileMaker,
    details: UserDetails,
    now: datetime,
    *,
    days: int,
    limit: int,
    outdated: bool,
    none_left: Collection[str] = (),
) -> UserOverview:
    """The rows of one user as an overview. `days`: of each streak; `limit`: how many history entries were requested.

    `none_left` are the badges of which no copy is left.
    """
    catalog, row = maker.context.catalog, details.user
    badges = shown_badges(catalog, row.progress)
    profile = msgspec.structs.replace(
        maker.profile(row, details.top, now, for_operators=True),
        balance=row.progress.balance,
        rank=UserRank(rank=details.rank, ranked_users=details.ranked),
        next=next_badges(catalog, row.progress, now, len(catalog.badges), none_left, for_operators=True),
        streaks=user_streaks(catalog, row.progress, now, days),
        history=history(row, details.history, limit),
    )
    return UserOverview(
        user=user(catalog, row, now),
        profile=profile,
        explanations=explanations(catalog, badges, row, details.awards, details.award_events, now, none_left),
        excluded=row.progress.manual.excluded,
        outdated=outdated,
        erase_at=row.erase_at,
        entitlements=entitlements_of(catalog, with_valid_badges(catalog.badges, row.progress, row.earned, now)),
    )
