"""What reads cost: as how many requests more a large one counts against its caller's rate.

The units are chosen so that no read costs much more of a processor than the profile for each request that it counts as. They
depend on what is read and not on the time it took, so that a slow disk is not charged to users.
"""

from __future__ import annotations

from collections.abc import Collection

LINES = 100
"""How many lines of a leaderboard, in order, count as one request."""

FRIENDS = 25
"""The same for users whose ranks are searched anywhere on a leaderboard."""

TEAMS = 200
"""The same for teams: all of a leaderboard are ranked, however many are shown."""

SCORES = 20_000
"""The same for ranked users where equal scores have dense ranks: all better scores are counted."""

ENTRIES = 50
"""How many entries of a history count as one request."""

EXPORTED_BYTES = 20_000
"""How many bytes of an export count as one request: about as many entries as of a history."""

DAYS = 200
"""How many explained days count as one request, of all streaks together."""

BADGES = 100
"""How many badges, each with what is missing for it, count as one request."""


CHANGES = 25
"""How many changes of a user, all computed again for a read of the past, count as one request."""


def beyond(amount: int, unit: int) -> int:
    """The requests that an amount counts as beyond the first one."""
    return max(0, (amount - 1) // unit)


def of_lines(lines: int, friends: int, teams: int, dense: int) -> int:
    """The requests more for a page of a leaderboard. `dense`: its ranked users, if its ranks are dense, otherwise 0."""
    return (
        (beyond(friends, FRIENDS) if friends else beyond(lines, LINES)) + beyond(teams, TEAMS) + beyond(dense, SCORES)
    )


def of_profile(include: Collection[str], days: int, badges: int, streaks: int) -> int:
    """The requests more for what a profile includes, in a catalog with this number of badges and streaks."""
    in_reach = badges * len({"next", "toward"}.intersection(include))
    explained = days * streaks if "streaks" in include else 0
    return beyond(in_reach, BADGES) + beyond(explained, DAYS)
