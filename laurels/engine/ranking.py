"""The order of every leaderboard, and the counts that make a rank cheap at any size.

Standings are ordered by (sort_key, reached_at, user_id), all ascending. `sort_key` is minus the score, so that the highest
comes first; users with equal scores are in the order in which they reached them, then by id (code point).

A rank is one plus the number of standings ahead. To count those without reading them, each standing is counted in one node of
every level of two radix trees: levels 0 to 8 over the sort key, with 64 children per node, and levels 9 to 11 over the time
within one sort key, with 256 children per node. The standings ahead are then a few ranges of nodes (at most one per level)
and the few standings in the same finest time node.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeVar

from laurels.engine.values import plain

CHILD_BITS = 6
KEY_SHIFTS = tuple(range(0, 54, CHILD_BITS))
"""By how many bits each key level is coarser than the sort key."""

TIME_SHIFTS = (24, 32, 40)
"""The same for the time levels, in microseconds: about 17 seconds, 72 minutes, 13 days."""

T = TypeVar("T")

Ties = Literal["first", "shared", "dense"]
"""The ranks of equal scores: 1 2 3 4, in the order in which they were reached; 1 2 2 4; 1 2 2 3."""

WITHIN = "/"
"""Separates a leaderboard's id from the rest of the name of a partition (hidden users, or one team)."""

HIDDEN = f"{WITHIN}hidden"
"""After a leaderboard's id: the partition of hidden users, who have a rank without taking one from others."""

TEAM = f"{WITHIN}team{WITHIN}"
"""Between a leaderboard's id and the name of a team: the partition of the team's members."""

VALUE = f"{WITHIN}in{WITHIN}="
"""Between a leaderboard's id and a value of an attribute: the partition of the users who have it.

It ends with a '=', so that the value 'hidden' does not end the name as HIDDEN does.
"""

ESCAPES = (("%", "%25"), (WITHIN, "%2F"))
"""What stands for characters of a value in the name of its partition, so that a value cannot name another one."""

TOTAL_LEVEL = 99
"""The level at which the partition of a team stores the sum of its members' scores."""

FIRST_TIME_LEVEL = len(KEY_SHIFTS)
LEAST_NODE = -(2**62)


@plain
class Place:
    """The position of a user on a leaderboard. `reached_at` is in microseconds since 1970, UTC."""

    sort_key: int
    reached_at: int
    user_id: str


@plain
class Range:
    """Nodes `low` to `high` of one level; `under` is the sort key of a time level (0 for key levels)."""

    level: int
    under: int
    low: int
    high: int


def value_partition(board: str, value: str) -> str:
    """The partition of the users of a leaderboard who have this value."""
    for character, escape in ESCAPES:
        value = value.replace(character, escape)
    return f"{board}{VALUE}{value}"


def value_of(partition: str) -> str:
    """The value of such a partition; '' for any other one."""
    _, _, value = partition.partition(VALUE)
    for character, escape in reversed(ESCAPES):
        value = value.replace(escape, character)
    return value


def nodes(place: Place) -> list[tuple[int, int, int]]:
    """The nodes (level, under, node) that count this place."""
    by_key = [(level, 0, place.sort_key >> shift) for level, shift in enumerate(KEY_SHIFTS)]
    by_time = [
        (FIRST_TIME_LEVEL + level, place.sort_key, place.reached_at >> shift) for level, shift in enumerate(TIME_SHIFTS)
    ]
    return by_key + by_time


def tallied(partition: str, place: Place) -> list[tuple[tuple[int, int, int], int]]:
    """What a place adds to which nodes of its partition: one standing, and for a team its score."""
    counts = [(node, 1) for node in nodes(place)]
    return [*counts, ((TOTAL_LEVEL, 0, 0), abs(place.sort_key))] if TEAM in partition else counts


def ranges_ahead(place: Place) -> list[Range]:
    """The ranges of nodes that together count every place ahead, except those within the finest time node."""
    return [*better_scores(place.sort_key), *earlier_times(place)]


def better_scores(sort_key: int) -> list[Range]:
    """The ranges of nodes that together count every place with a better score."""
    return _ranges(sort_key, KEY_SHIFTS, 0, 0)


def better_siblings(level: int, node: int) -> Range:
    """The range of nodes under the same parent that come before this node of a key level; on the coarsest level, all before it.

    A node, its parent and so on up to the coarsest level have all ranges of `better_scores`; scores that share a parent share
    the rest of them.
    """
    coarsest = level == FIRST_TIME_LEVEL - 1
    return Range(level, 0, LEAST_NODE if coarsest else node >> CHILD_BITS << CHILD_BITS, node - 1)


def earlier_times(place: Place) -> list[Range]:
    """The ranges of nodes that count the places of the same score that are ahead, except those within the finest time node."""
    return _ranges(place.reached_at, TIME_SHIFTS, FIRST_TIME_LEVEL, place.sort_key)


def finest_time(place: Place) -> int:
    """The first microsecond of the finest time node that holds this place."""
    return place.reached_at >> TIME_SHIFTS[0] << TIME_SHIFTS[0]


@plain
class Move:
    """A user's place on a leaderboard in a period, before and after; None if unranked.

    `late` says that the period may be closed. If it is, the move is ignored; if not, it starts from the stored place, because a
    process whose clock is ahead may have ignored an earlier move.
    """

    user_id: str
    board: str
    period: str
    before: Place | None
    after: Place | None
    late: bool = False


@plain
class Ranks:
    """A user's rank before and after; None if unranked."""

    before: int | None
    after: int | None


def joined(shown: Mapping[str, Ranks], hidden: Mapping[str, Ranks]) -> dict[str, Ranks]:
    """The own rank of each user: the shown one, or for hidden users, before or after, the rank that they would have."""
    return {**hidden, **{user_id: _joined(ranks, hidden.get(user_id)) for user_id, ranks in shown.items()}}


def _joined(shown: Ranks, hidden: Ranks | None) -> Ranks:
    if hidden is None:
        return shown
    before = hidden.before if shown.before is None else shown.before
    return Ranks(before, hidden.after if shown.after is None else shown.after)


def rank_changes(ranks: Ranks, top: int) -> list[str]:
    """The notifications for a change of rank: a user passed others among the first ranks, or came among them."""
    if ranks.after is None or ranks.after > top or (ranks.before is not None and ranks.before <= ranks.after):
        return []
    passed = ["leaderboard.passed"] if ranks.before is not None else []
    return passed if ranks.before is not None and ranks.before <= top else [*passed, "leaderboard.top"]


def ranks_of(
    moves: Iterable[Move],
    ahead: Mapping[Place, int],
    ties: Ties = "first",
    holders: Mapping[int, int] | None = None,
    hidden: Iterable[Move] | None = None,
) -> dict[str, Ranks]:
    """The shown ranks by user, before and after these moves on one leaderboard, which happen at the same time.

    With `hidden`, the moves of hidden users, the result is their ranks: those that they would have.

    `ahead` is what was ahead of each place before the moves, by the tie rule: standings, standings with better scores, or
    better scores. The ranks after them follow from what left and what came ahead. `holders`, for dense ranks only, is the number
    of standings at each sort key in the moves: a score disappears with its last standing and appears with its first.
    """
    moves = list(moves)
    position = order if ties == "first" else _score_alone
    left = sorted(position(move.before) for move in moves if move.before)
    came = sorted(position(move.after) for move in moves if move.after)
    if ties == "dense":
        left, came = _scores_moved(moves, holders or {})
    ranks: dict[str, Ranks] = {}
    for move in moves if hidden is None else hidden:
        before = ahead[move.before] + 1 if move.before else None
        after = None
        if move.after:
            mine = position(move.after)
            after = ahead[move.after] - bisect_left(left, mine) + bisect_left(came, mine) + 1
        ranks[move.user_id] = Ranks(before, after)
    return ranks


def _score_alone(place: Place) -> tuple[int]:
    return (place.sort_key,)


def _scores_moved(moves: Iterable[Move], holders: Mapping[int, int]) -> tuple[list[tuple[int]], list[tuple[int]]]:
    """The scores that no one has any longer, and those that no one had before."""
    after = Counter(holders)
    for move in moves:
        if move.before:
            after[move.before.sort_key] -= 1
        if move.after:
            after[move.after.sort_key] += 1
    gone = [(key,) for key in sorted(after) if holders.get(key, 0) and not after[key]]
    new = [(key,) for key in sorted(after) if after[key] and not holders.get(key, 0)]
    return gone, new


def numbered(places: Sequence[Place], ties: Ties, ordinal: int, rank: int) -> list[int]:
    """The ranks of consecutive places on a leaderboard.

    `ordinal` is the rank of the first of them without ties, `rank` the one that is shown.
    """
    ranks: list[int] = []
    for index, place in enumerate(places):
        if index and (ties == "first" or place.sort_key != places[index - 1].sort_key):
            rank = rank + 1 if ties == "dense" else ordinal + index
        ranks.append(rank)
    return ranks


def gaps_before(places: Iterable[Place], gaps: Iterable[tuple[int, int, str, int]]) -> list[int]:
    """How many places of erased users are ahead of each of these, among places with the same score and time.

    `gaps` are (sort_key, reached_at, user_id, ahead) of lines with such places directly ahead. The stored place of an erased
    user comes after all others with the same score and time, so that it does not reveal the user's id.
    """
    of_equals: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for sort_key, reached_at, user_id, ahead in sorted(gaps):
        of_equals.setdefault((sort_key, reached_at), []).append((user_id, ahead))
    found: list[int] = []
    for place in places:
        equals = of_equals.get((place.sort_key, place.reached_at), [])
        found.append(sum(ahead for user_id, ahead in equals if user_id <= place.user_id))
    return found


def around(before: Sequence[T], row: T | None, after: Sequence[T], limit: int) -> list[T]:
    """`limit` rows with `row` in the middle, or as near to it as the ends of the leaderboard allow.

    Without `row`, for a hidden user, only the rows before and after it.
    """
    middle = [] if row is None else [row]
    rest = limit - len(middle)
    ahead = min(len(before), max(rest // 2, rest - len(after)))
    return [*before[len(before) - ahead :], *middle, *after[: rest - ahead]]


def order(place: Place) -> tuple[int, int, str]:
    """The sort key of leaderboards."""
    return place.sort_key, place.reached_at, place.user_id


def _ranges(value: int, shifts: tuple[int, ...], first_level: int, under: int) -> list[Range]:
    """On each level, the siblings before the node of `value`; on the coarsest, all nodes before it."""
    ranges: list[Range] = []
    for level, shift in enumerate(shifts):
        coarsest = level == len(shifts) - 1
        first_sibling = LEAST_NODE if coarsest else value >> shifts[level + 1] << (shifts[level + 1] - shift)
        ranges.append(Range(first_level + level, under, first_sibling, (value >> shift) - 1))
    return ranges
