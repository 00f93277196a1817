"""Compares what a scenario expects with what the product answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from laurels.engine.values import plain
from laurels.present.notifications import NotificationMessage
from laurels.present.streaks import UserStreak
from laurels.simulate.format import (
    Answered,
    LeaderboardExpected,
    Number,
    NumberLimits,
    StreakExpected,
    UserExpected,
)

NO_USER = "there is no such user"
NONE = "none"


@plain
class Comparison:
    """One expectation: what it is about, what is expected and what there is, as texts, and whether both agree."""

    what: str
    expected: str
    actual: str
    ok: bool


@plain
class UserState:
    """What the product answers about a user. `ranks` are those that were asked for; None: unranked."""

    points: int
    balance: int
    level: int
    title: str
    badges: Sequence[str]
    earned: Mapping[str, datetime]
    streaks: Mapping[str, UserStreak]
    unlocks: Sequence[str]
    ranks: Mapping[str, int | None]
    notifications: Sequence[str]
    zone: ZoneInfo


@plain
class BoardState:
    """The lines of a leaderboard, best first, and the score of each."""

    lines: Sequence[str]
    scores: Mapping[str, float]


# ---- the parts ------------------------------------------------------------------------------------


def _number(what: str, expected: Number | None, actual: float | None) -> Iterator[Comparison]:
    if expected is None:
        return
    shown = NONE if actual is None else f"{actual:g}" if isinstance(actual, float) else str(actual)
    if not isinstance(expected, NumberLimits):
        yield Comparison(what, str(expected), shown, actual == expected)
        return
    least, most, never = expected.at_least, expected.at_most, expected.not_
    if least is not None:
        yield Comparison(what, f"at least {least}", shown, actual is not None and actual >= least)
    if most is not None:
        yield Comparison(what, f"at most {most}", shown, actual is not None and actual <= most)
    if never is not None:
        yield Comparison(what, f"not {never}", shown, actual != never)


def _names(what: str, expected: Collection[str] | None, actual: Collection[str]) -> Iterator[Comparison]:
    """All names, in any order."""
    if expected is not None:
        yield Comparison(what, _listed(sorted(expected)), _listed(sorted(actual)), sorted(expected) == sorted(actual))


def _in_order(what: str, expected: Sequence[str] | None, actual: Sequence[str]) -> Iterator[Comparison]:
    if expected is not None:
        yield Comparison(what, _listed(expected), _listed(actual), list(expected) == list(actual))


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or NONE


# ---- a user -----------------------------------------------------------------------------------------


def compare_user(user: str, expected: UserExpected, state: UserState | None, zone: ZoneInfo) -> Iterator[Comparison]:
    """Everything that is expected of a user. `zone` is that of times without an offset."""
    if state is None:
        yield Comparison(f"user {user}", "a user", NO_USER, ok=False)
        return
    for name in ("points", "balance", "level"):
        yield from _number(f"{name} of {user}", getattr(expected, name), getattr(state, name))
    if expected.title is not None:
        yield Comparison(f"title of {user}", expected.title, state.title, expected.title == state.title)
    yield from _badges(user, expected, state, zone)
    for name, streak in expected.streaks.items():
        yield from _streak(f"streak {name} of {user}", streak, state.streaks.get(name))
    yield from _names(f"unlocks of {user}", expected.unlocks, state.unlocks)
    for board, rank in expected.ranks.items():
        what, actual = f"rank of {user} on {board}", state.ranks[board]
        if isinstance(rank, str):
            yield Comparison(what, rank, rank if actual is None else str(actual), actual is None)
        else:
            yield from _number(what, rank, actual)
    yield from _notifications(user, expected, state.notifications)


def _badges(user: str, expected: UserExpected, state: UserState, zone: ZoneInfo) -> Iterator[Comparison]:
    yield from _names(f"badges of {user}", expected.badges, state.badges)
    held = _listed(sorted(state.badges))
    for badge in expected.has_badges:
        yield Comparison(f"badges of {user}", f"{badge} among them", held, badge in state.badges)
    for badge in expected.lacks_badges:
        yield Comparison(f"badges of {user}", f"{badge} not among them", held, badge not in state.badges)
    for badge, at in expected.earned.items():
        what, actual = f"when {user} earned {badge}", state.earned.get(badge)
        if not isinstance(at, datetime):
            local = actual.astimezone(state.zone).date() if actual else None
            yield Comparison(what, str(at), str(local) if local else "never", at == local)
        else:
            exact = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
            yield Comparison(what, _time(exact), _time(actual) if actual else "never", exact == actual)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _streak(what: str, expected: int | StreakExpected, actual: UserStreak | None) -> Iterator[Comparison]:
    if isinstance(expected, int):
        expected = StreakExpected(length=expected)
    yield from _number(what, expected.length, actual.length if actual else 0)
    yield from _number(f"longest {what}", expected.longest, actual.longest if actual else 0)
    yield from _number(f"freezes of {what}", expected.freezes, actual.freezes if actual else 0)
    if expected.status is not None:
        status = actual.status if actual else NONE
        yield Comparison(f"status of {what}", expected.status, status, expected.status == status)


def _notifications(user: str, expected: UserExpected, actual: Sequence[str]) -> Iterator[Comparison]:
    what, listed = f"notifications of {user}", _listed(actual)
    if expected.notifications is not None:
        wanted = expected.notifications
        ok = len(wanted) == len(actual) and all(map(_matches, wanted, actual))
        yield Comparison(what, _listed(wanted), listed, ok)
    for text in expected.has_notifications:
        yield Comparison(what, f"{text} among them", listed, any(_matches(text, one) for one in actual))
    for text in expected.lacks_notifications:
        yield Comparison(what, f"{text} not among them", listed, not any(_matches(text, one) for one in actual))


def _matches(expected: str, actual: str) -> bool:
    """Whether a notification begins with the words that are expected of it."""
    words, shown = expected.split(), actual.split()
    return shown[: len(words)] == words


def notification_text(message: NotificationMessage) -> str:
    """A notification in words, as scenario files name it: 'badge.earned first_post', 'streak.extended login 3'."""
    data: Mapping[str, Any] = message.data
    names = ("badge", "times", "streak", "board", "level", "length", "period", "rank")
    return " ".join([message.type, *(str(data[name]) for name in names if name in data)])


# ---- a leaderboard, and what an action answers ------------------------------------------------------


def compare_board(board: str, expected: LeaderboardExpected, state: BoardState) -> Iterator[Comparison]:
    """Everything that is expected of a leaderboard."""
    what = f"leaderboard {board}" + ("" if expected.period == "current" else f" ({expected.period})")
    yield from _in_order(what, expected.lines, state.lines)
    if expected.top is not None:
        yield from _in_order(f"first lines of {what}", expected.top, state.lines[: len(expected.top)])
    for name in expected.lacks:
        yield Comparison(what, f"{name} not on it", _listed(state.lines), name not in state.lines)
    for name, score in expected.scores.items():
        yield from _number(f"score of {name} on {what}", score, state.scores.get(name))


def compare_answer(action: str, expected: Answered, answer: Any, refusal: str | None) -> Iterator[Comparison]:
    """What an action answers, or with which words it was refused."""
    if expected.refused is not None:
        ok = refusal is not None and expected.refused in refusal
        yield Comparison(f"{action}", f"refused: {expected.refused}", refusal or "not refused", ok)
    if refusal is not None:
        return
    for name in ("status", "badge_awarded", "reversed", "counted"):
        wanted = getattr(expected, name)
        if wanted is not None:
            actual = getattr(answer, name, None)
            yield Comparison(f"{name} of the {action}", _said(wanted), _said(actual), (actual or "") == (wanted or ""))
    awards = [award.badge for award in getattr(answer, "awards", ())]
    yield from _names(f"awards of the {action}", expected.awards, awards)
    yield from _names(f"badges taken by the {action}", expected.revoked, getattr(answer, "revoked", ()))
    points, level = getattr(answer, "points", None), getattr(answer, "level", None)
    if isinstance(points, int) or isinstance(level, int):
        return  # a profile has its points and level, and no changes
    yield from _number(f"points of the {action}", expected.points, points.after - points.before if points else 0)
    yield from _number(f"new level of the {action}", expected.level, level.after if level else 0)
    streaks = getattr(answer, "streaks", {})
    for name, length in expected.streaks.items():
        yield from _number(f"streak {name} of the {action}", length, streaks[name].after if name in streaks else None)


def _said(value: object) -> str:
    return NONE if value in (None, "") else str(value).lower() if isinstance(value, bool) else str(value)
