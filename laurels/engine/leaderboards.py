"""Leaderboards: what one counts, within which periods, who is ranked on it, and how ties are ranked.

`ranking.py` has the order of its lines, the same for all leaderboards: users with equal scores are in the order in which they
reached them, then by id. The tie rule only decides which rank is shown for equal scores.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal, NamedTuple, cast

from laurels.engine.parsing import NONE_EARLIER, Table, closest
from laurels.engine.periods import ALL_TIME, KINDS, Period, Periods
from laurels.engine.ranking import HIDDEN, TEAM, WITHIN, Place, Ties, value_partition
from laurels.engine.renames import read_was
from laurels.engine.units import WEEKDAYS
from laurels.engine.zones import zone
from laurels.errors import InvalidInput

By = Literal["points", "metric", "streak"]

POINTS = "points"
"""The id of the leaderboard of all points of all time. Every catalog has it: the contract's profile shows it."""

Visibility = Literal["public", "pseudonym", "hidden"]
VISIBILITIES: tuple[Visibility, ...] = ("public", "pseudonym", "hidden")

SOURCES = ("points", "metric", "streak")
TIES = ("first", "shared", "dense")
TEAM_SCORES = ("sum", "mean")
MAX_NOTIFIED = 1000
"""How many users at most are notified of their rank when a period closes, however many share the first ranks."""

OTHER_PERIODS = ("current", "previous")
"""Names that requests use instead of a period's key, so that no season may have them."""

ORDERS = ("highest", "lowest")
LATE_HOURS = 24
MAX_LATE_HOURS = 24 * 366


FOREVER = Periods()


@dataclass(frozen=True, slots=True)
class Board:
    """One leaderboard.

    by, of   what is counted: points, a metric's number, or a streak's longest run; `of` names the metric or streak
    weights  the metrics that are counted together instead of one, with what each is multiplied by, sorted by name
    periods  within which it is counted
    highest  whether the highest score comes first, else the lowest
    ties     which rank equal scores show: first 1 2 3 4 (who reached it first), shared 1 2 2 4, dense 1 2 2 3
    groups   who is ranked: users in any of these groups (empty: everyone)
    except_groups  who is not ranked: users in any of these groups
    within   the attribute by which users are ranked apart: among those in the same group 'ATTRIBUTE:VALUE' ('': all together)
    readers  which users may read it: those in any of these groups (empty: all); the app and operators always may
    late     how long after its end a period still takes events that occurred in it; then it is closed permanently
    visibility  how users who did not choose are shown: by name, under a pseudonym, or to no one else
    teams    the prefix of groups that compete instead of users ('': users compete)
    team_score  whether the score of a team is the sum or the mean of its members' scores
    closed_until  the end of the newest period that closed with other bounds: what ended before is counted there
    notify_top  users who enter this number of first ranks are notified, and users in them when a period closes (0: no one)
    was      its earlier ids
    scale    how many units of its metric make one, for those who show scores
    retired  whether it is no longer listed and takes no events: its lines stay as they are, and no period of it closes
    """

    id: str
    name: str
    by: By = "points"
    of: str = ""
    periods: Periods = FOREVER
    highest: bool = True
    ties: Ties = "first"
    groups: tuple[str, ...] = ()
    late: timedelta = timedelta(hours=LATE_HOURS)
    visibility: Visibility = "public"
    teams: str = ""
    team_score: Literal["sum", "mean"] = "sum"
    notify_top: int = 0
    readers: tuple[str, ...] = ()
    was: tuple[str, ...] = ()
    retired: bool = False
    closed_until: datetime | None = None
    scale: int = 1
    weights: tuple[tuple[str, int], ...] = ()
    except_groups: tuple[str, ...] = ()
    within: str = ""

    def partitions(self, groups: Collection[str], visibility: Visibility | None) -> list[str]:
        """The partitions in which a user of these groups is ranked: the leaderboard, its hidden users, teams, or none.

        A hidden user is in no team, because the total of a team would tell others the user's score.
        """
        if self.groups and not any(group in groups for group in self.groups):
            return []
        if self.except_groups and any(group in groups for group in self.except_groups):
            return []
        hidden = self.visibility_of(visibility) == "hidden"
        if self.teams:
            return [] if hidden else [self.id + TEAM + group for group in groups if group.startswith(self.teams)]
        parts = [value_partition(self.id, value) for value in self.values(groups)] if self.within else [self.id]
        return [part + HIDDEN if hidden else part for part in parts]

    def values(self, groups: Collection[str]) -> list[str]:
        """The values of the attribute that a user of these groups has, sorted."""
        prefix = f"{self.within}:"
        return sorted(group.removeprefix(prefix) for group in groups if group.startswith(prefix) and group != prefix)

    def may_be_read_by(self, groups: Collection[str]) -> bool:
        """Whether a user of these groups may read it. For a user who may not, it does not exist."""
        return not self.readers or any(group in self.readers for group in groups)

    def name_of_team(self, group: str) -> str:
        """The name of a team: the group without the prefix that all teams have."""
        return group.removeprefix(self.teams) or group

    def visibility_of(self, chosen: Visibility | None) -> Visibility:
        """How a user is shown on this leaderboard: as they chose, or as the leaderboard shows users who did not choose."""
        return chosen or self.visibility

    def closes_at(self, period: Period) -> datetime | None:
        """When a period stops taking events; None: never."""
        return None if period.end is None else period.end + self.late

    def is_open(self, period: Period, now: datetime) -> bool:
        """Whether a period takes events at this time."""
        if self.retired:
            return False
        if period.end is None:
            return True
        return now < period.end + self.late and (self.closed_until is None or period.end > self.closed_until)

    def place(self, score: int, reached_at: int, user_id: str) -> Place | None:
        """The place of a score; None for one that is not ranked."""
        ranked = score > 0 or (score == 0 and self.ranks_zero)
        return Place(-score if self.highest else score, reached_at, user_id) if ranked else None

    @property
    def ranks_zero(self) -> bool:
        """Whether users who took part and have a score of 0 are ranked: where less is better, 0 may be the best score.

        By points they are not: a user whose points are 0 has none, or had all taken back.
        """
        return self.by == "metric" and not self.highest

    def score(self, sort_key: int) -> int:
        """The score that has this sort key."""
        return -sort_key if self.highest else sort_key


THE_POINTS = Board(POINTS, "All time", notify_top=10)


class MetricNumber(NamedTuple):
    """What leaderboards know of the number of a metric: how many units make one, and whether it adds up."""

    scale: int
    adds_up: bool


def read_board(
    table: Table,
    metrics: Mapping[str, MetricNumber],
    streaks: Collection[str],
    earlier: Mapping[str, str] = NONE_EARLIER,
) -> Board:
    """A [[leaderboards]] table, which may refer to these metrics and streaks. `earlier` are the earlier names of streaks."""
    by = cast(By, table.choice("by", SOURCES, "source", "points") or "points")
    weights = _read_weights(table, by, metrics)
    of = _read_of(table, by, {"metric": metrics, "streak": streaks}, earlier)
    hours = table.integer("late_hours", LATE_HOURS)
    if hours > MAX_LATE_HOURS:
        table.fault("late_hours", f"must be at most {MAX_LATE_HOURS}", "write late_hours = 24")
    board_id = table.text("id")
    board = Board(
        id=board_id,
        name=table.words("name", board_id),
        by=by,
        of=of,
        periods=_read_periods(table),
        highest=table.choice("order", ORDERS, "order", "highest") != "lowest",
        ties=cast(Ties, table.choice("ties", TIES, "tie rule", "first") or "first"),
        groups=table.texts("groups") if table.has("groups") else (),
        readers=table.texts("readers") if table.has("readers") else (),
        late=timedelta(hours=min(hours, MAX_LATE_HOURS)),
        visibility=cast(Visibility, table.choice("visibility", VISIBILITIES, "visibility", "public") or "public"),
        teams=table.text("teams") if table.has("teams") else "",
        team_score=cast(Any, table.choice("team_score", TEAM_SCORES, "team score", "sum") or "sum"),
        notify_top=table.integer("tell_top", 10 if board_id == POINTS else 0),
        was=read_was(table),
        retired=table.boolean("retired"),
        scale=next((metrics[name].scale for name in (of, *dict(weights)) if name in metrics and by == "metric"), 1),
        weights=weights,
        except_groups=table.texts("except_groups") if table.has("except_groups") else (),
        within=table.text("within") if table.has("within") else "",
    )
    table.done()
    _check(table, board)
    return board


def _read_of(table: Table, by: By, named: Mapping[str, Collection[str]], earlier: Mapping[str, str]) -> str:
    """The one metric or streak that is counted; '' if it is points, or several metrics. `named` are their names, by kind."""
    if by == "points" and table.has("of"):
        what = "has no meaning by points: a leaderboard counts the points that make levels, and no other kind"
        table.fault("of", what, 'take it out, or write by = "metric"')
    if by not in named or table.has("weights"):
        return ""
    others = {name: kind for kind, names in named.items() if kind != by for name in names}
    return table.choice("of", named[by], by, renamed=earlier if by == "streak" else NONE_EARLIER, others=others)


def _read_weights(table: Table, by: By, metrics: Mapping[str, MetricNumber]) -> tuple[tuple[str, int], ...]:
    """The metrics of a leaderboard that counts several, each with its weight; empty if it counts one."""
    table.instead["weights"] = "of"
    inner = table.table("weights") if table.has("weights") else None
    if inner is None:
        return ()
    if by != "metric":
        table.fault("weights", f"has no meaning by {by}", 'take it out, or write by = "metric"')
    if table.has("of"):
        table.fault("of", "has no meaning together with 'weights'", "take out one of the two")
        table.asked.add("of")
    weights: list[tuple[str, int]] = []
    for name in sorted(inner.raw):
        weight = inner.integer(name, least=1)
        if name not in metrics:
            inner.fault(name, f"there is no metric '{name}'", closest(name, metrics))
        elif not metrics[name].adds_up:
            # The best of two sums is not the sum of two bests: only what adds up is the same in any order of events.
            inner.fault(name, "is a metric whose numbers do not add up", "use metrics of kind 'count' or 'sum'")
        weights.append((name, weight))
    if len({metrics[name].scale for name, _ in weights if name in metrics}) > 1:
        table.fault("weights", "names metrics with different scales", "give them the same 'scale'")
    if len(weights) < 2 and not inner.faults:  # noqa: PLR2004
        table.fault("weights", "must name two metrics or more", 'write of = "..." for a single one')
    return tuple(weights)


def _check(table: Table, board: Board) -> None:
    if WITHIN in board.id:
        table.fault("id", f"must not contain '{WITHIN}'", "remove it")
    if table.has("team_score") and not board.teams:
        table.fault("team_score", "has no meaning without teams", 'take it out, or write teams = "team:"')
    if board.notify_top > MAX_NOTIFIED:
        table.fault("tell_top", f"must be at most {MAX_NOTIFIED}", "write tell_top = 10")
    if board.within:
        _check_within(table, board)
    free = ("name", "late", "visibility", "readers", "notify_top")
    plain = replace(THE_POINTS, **{name: getattr(board, name) for name in free})
    if board.id == POINTS and board != plain:
        table.fault("", f"the leaderboard '{POINTS}' counts all points of all time", "give this leaderboard another id")


def _check_within(table: Table, board: Board) -> None:
    if ":" in board.within:
        name = board.within.partition(":")[0] or "country"
        table.fault("within", "must be the part of groups before the ':'", f'write within = "{name}"')
    if board.teams:
        table.fault("within", "has no meaning on a leaderboard of teams", "take out one of the two")
    if board.notify_top:
        # One period closes for all values at once, and its notifications name no value.
        table.fault("tell_top", "has no meaning together with 'within'", "take out one of the two")


def _read_periods(table: Table) -> Periods:
    kind: Any = table.choice("period", KINDS, "period", "all") or "all"
    for key, needed in (("week_starts", "week"), ("seasons", "season")):
        if table.has(key) and kind != needed:
            table.fault(key, f"has no meaning for period '{kind}'", f'take it out, or write period = "{needed}"')
    week_start = table.choice("week_starts", WEEKDAYS, "day of the week", "mon")
    seasons = _read_seasons(table) if kind == "season" else ()
    return Periods(kind, _read_zone(table), WEEKDAYS.index(week_start) if week_start else 0, seasons)


def _read_zone(table: Table) -> str:
    name = table.text("zone", "UTC")
    try:
        zone(name)
    except InvalidInput as error:
        table.fault("zone", str(error), 'write zone = "UTC"')
        return "UTC"
    return name


def _read_seasons(table: Table) -> tuple[tuple[str, int, int], ...]:
    seasons: list[tuple[str, int, int]] = []
    for entry in table.list_of_tables("seasons"):
        name, first, last = entry.text("name"), entry.day("first"), entry.day("last")
        entry.done()
        if last < first:
            entry.fault("last", "lies before 'first'", "swap the two")
        seasons.append((name, first, last))
    in_order = sorted(seasons, key=lambda season: season[1])
    _check_seasons(table, in_order)
    return tuple(in_order)


def _check_seasons(table: Table, seasons: Sequence[tuple[str, int, int]]) -> None:
    if not seasons:
        table.fault("seasons", "is empty", 'write [[leaderboards.seasons]] with name = "...", first and last')
    for name, _, _ in seasons:
        if name in OTHER_PERIODS:
            table.fault("seasons", f"'{name}' has another meaning in requests", "give the season another name")
    if len({name for name, _, _ in seasons}) < len(seasons):
        table.fault("seasons", "two seasons have the same name", "give each its own name")
    for (earlier, _, last), (later, first, _) in pairwise(seasons):
        if first <= last:
            table.fault(
                "seasons",
                f"'{later}' begins before '{earlier}' has ended",
                "make the later one begin after the earlier one",
            )


def is_all_time(board: Board) -> bool:
    """Whether the leaderboard counts over all time."""
    return board.periods.kind == ALL_TIME
