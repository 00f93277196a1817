"""Adjustments: changes of one user that are made by hand, each dated and in force until it is undone.

KINDS is the registry. A kind is one class: its fields, how it is checked, what it changes, who may apply it, and its words.
The bodies of the HTTP API, the forms of the console, the commands of the command line and all checks are made from it, so
adding a kind means adding one class here.

What adjustments amount to is a fold over those in force (`folded`), so undoing one is folding the others again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar

from laurels.engine.days import Days
from laurels.engine.events import FIRST_YEAR
from laurels.engine.fields import Field, fields_of
from laurels.engine.parsing import closest
from laurels.engine.progress import ManualState
from laurels.engine.spending import check_earned, check_spend
from laurels.engine.zones import end_of_day, first_instant
from laurels.errors import InvalidInput

MAX_FREEZES = 1000
MAX_PAUSE_DISTANCE = 3660
"""How many days before or after today a pause may begin or end: a set of days takes one bit for each day in between."""

Loads = Literal["adjustments", "all"]
"""What must be loaded of a user: the other adjustments, or all events, awards and ledger entries as well."""

Caller = Literal["app", "user"]
"""Who applies an adjustment: the app's back end or an operator, or the user themselves."""

Data = Mapping[str, Any]
"""The data of a stored adjustment, as JSON: its fields, and what was filled in when it was applied."""


class Target(Protocol):
    """The user whom an adjustment is for, under the catalog in force (`adjust.py` has the one implementation)."""

    @property
    def caller(self) -> Caller:
        """Who applies it."""
        ...

    @property
    def today(self) -> int:
        """The user's day."""
        ...

    def points(self, kind: str) -> tuple[int, int, str]:
        """What the user earned of a kind of points ('': the contract's), what of it they can spend, and the word for several.

        Raises InvalidInput for a kind that the catalog does not have.
        """
        ...

    def badge(self, badge: str, *, held: bool = False) -> str:
        """The current id of a badge of the catalog; see `AdjustedUser`. Raises BadgeNotFound, AdjustmentRefused."""
        ...

    def streak(self, streak: str) -> str:
        """The current name of a streak of the catalog. Raises StreakNotFound."""
        ...

    def check_pause(self, streak: str, first: int, last: int) -> None:
        """Raises AdjustmentRefused unless the user may pause this streak from day `first` to day `last` themselves."""
        ...

    def check_repair(self, streak: str, last: int) -> None:
        """Raises AdjustmentRefused unless the user may repair a gap that ended on day `last` themselves."""
        ...

    def gap_around(self, streak: str, day: int) -> tuple[int, int]:
        """The first and last day of the gap that holds a missed day. Raises AdjustmentRefused if it was not missed."""
        ...


@dataclass(frozen=True, slots=True)
class Adjustment(ABC):
    """The base of all kinds. The docstring of a kind is what people read about it: in the console, help texts and the API.

    kind        its name in bodies, addresses and stored rows
    verb        what applying it is called: the title of its form
    noun        what it is called afterwards, as in "Grant recorded."
    command     its command: `laurels user COMMAND`
    applied_by  who may apply it; empty: it has its own command
    loads       what must be loaded of the user, unless `needs` says otherwise
    example     fields of a complete one, for the API's documentation
    """

    kind: ClassVar[str]
    verb: ClassVar[str]
    noun: ClassVar[str]
    command: ClassVar[str]
    applied_by: ClassVar[frozenset[Caller]] = frozenset({"app"})
    loads: ClassVar[Loads] = "adjustments"
    example: ClassVar[Data]

    @classmethod
    def meaning(cls) -> str:
        """What it does, in a sentence or two."""
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    def summary(cls) -> str:
        """The first sentence of its meaning."""
        return cls.meaning().partition(". ")[0].rstrip(".") + "."

    @classmethod
    @cache
    def fields(cls) -> tuple[Field, ...]:
        """Its fields, in order."""
        return fields_of(cls)

    def data(self) -> dict[str, Any]:
        """Its fields as JSON. A flag that is off is left out."""
        values = {field.name: getattr(self, field.name) for field in self.fields()}
        values = {name: value for name, value in values.items() if value is not False}
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}

    def needs(self) -> Loads:
        """What must be loaded of the user to apply it."""
        return self.loads

    def takes_away(self) -> bool:
        """Whether it takes something away from the user, so that a form asks for confirmation."""
        return False

    def question(self, user: str, badges: Mapping[str, str]) -> str:
        """The question with which a form asks for confirmation. `user` is the name of the user; `badges` are names by id."""
        return f"{self.verb}: {user}?"

    def resolved(self, target: Target) -> dict[str, Any]:
        """Its data for this user: checked against the catalog and the user's days, and filled in if needed.

        Raises BadgeNotFound, StreakNotFound, InvalidInput, AdjustmentRefused.
        """
        return self.data()

    @classmethod
    @abstractmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        """The state with one stored adjustment of this kind added. `state` holds what the earlier ones amount to."""
        ...


K = TypeVar("K", bound=type[Adjustment])

KINDS: dict[str, type[Adjustment]] = {}
"""Every kind by its name."""


def register(kind: K) -> K:
    """Add a kind to KINDS."""
    if kind.kind in KINDS:
        raise ValueError(f"the kind '{kind.kind}' exists already")
    KINDS[kind.kind] = kind
    return kind


def kinds_for(caller: Caller) -> list[type[Adjustment]]:
    """The kinds that this caller may apply."""
    return [kind for kind in KINDS.values() if caller in kind.applied_by]


def parse_adjustment(kind: str, data: Data, caller: Caller = "app") -> Adjustment:
    """The adjustment that this JSON describes, complete and with fields of the right types.

    Raises InvalidInput, which names the field and the fix.
    """
    if kind not in KINDS or not KINDS[kind].applied_by:
        known = [item.kind for item in kinds_for("app")]
        raise InvalidInput("kind", f"unknown kind '{kind}'; {closest(kind, known)}")
    form = KINDS[kind]
    if caller not in form.applied_by:
        own = " or ".join(item.kind for item in kinds_for(caller))
        raise InvalidInput("kind", f"a user may apply a {own} only; ask the app's operator for anything else")
    fields = {field.name: field for field in form.fields()}
    for name in data.keys() - fields.keys():
        raise InvalidInput(
            name, f"unknown field of '{kind}'; {closest(name, fields) if fields else 'it has no fields'}"
        )
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in data and field.default is None:
            raise InvalidInput(name, f"is missing; '{kind}' needs {', '.join(fields)}")
        values[name] = field.parse(data.get(name, field.default))
    return form(**values)


def folded(adjustments: Iterable[tuple[str, Data]]) -> ManualState:
    """What adjustments in force amount to, in their order, as (kind, data)."""
    state = ManualState()
    for kind, data in adjustments:
        state = KINDS[kind].fold(state, data)
    return state


# ---- the kinds --------------------------------------------------------------------------------

Badge = Annotated[str, Field("badge", "Badge")]
Streak = Annotated[str, Field("streak", "Streak")]


@register
@dataclass(frozen=True, slots=True)
class Grant(Adjustment):
    """Give a badge with its points, even if its condition is not met."""

    kind = "grant"
    verb = "Grant a badge"
    noun = "grant"
    command = "grant"
    example: ClassVar[Data] = {"badge": "early_adopter"}

    badge: Badge

    def resolved(self, target: Target) -> dict[str, Any]:
        return {"badge": target.badge(self.badge)}

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        badge = frozenset({data["badge"]})
        return replace(state, granted=state.granted | badge, barred=state.barred - badge)


@register
@dataclass(frozen=True, slots=True)
class Revocation(Adjustment):
    """Take a badge away with the points it paid. It is not awarded again until this is undone or the badge is granted."""

    kind = "revocation"
    verb = "Revoke a badge"
    noun = "revocation"
    command = "revoke"
    loads = "all"  # points are taken back from the periods in which they were paid
    example: ClassVar[Data] = {"badge": "early_adopter"}

    badge: Badge

    def takes_away(self) -> bool:
        return True

    def question(self, user: str, badges: Mapping[str, str]) -> str:
        return f"Revoke {badges.get(self.badge, self.badge)} from {user}?"

    def resolved(self, target: Target) -> dict[str, Any]:
        return {"badge": target.badge(self.badge, held=True)}

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        badge = frozenset({data["badge"]})
        return replace(state, granted=state.granted - badge, barred=state.barred | badge)


@register
@dataclass(frozen=True, slots=True)
class Points(Adjustment):
    """Give points, or take back points given by mistake with a negative amount. Spending lowers only the user's balance."""

    kind = "points"
    verb = "Adjust points"
    noun = "points adjustment"
    command = "adjust"
    example: ClassVar[Data] = {"amount": 50}

    amount: Annotated[
        int, Field("number", "Points", "such as 50, or -50 to take back points given by mistake", zero=False)
    ]
    spend: Annotated[
        bool, Field("flag", "Spend", "lower only the balance; level and badges stay", option="--spend")
    ] = False
    of: Annotated[
        str, Field("point_kind", "Kind", "such as coins; left out: the points that make levels", option="--of")
    ] = ""

    def needs(self) -> Loads:
        """Scores of leaderboards stop at MAX_NUMBER, so points are taken away by adding up everything again."""
        return "all" if self.amount < 0 else self.loads

    def takes_away(self) -> bool:
        return self.spend or self.amount < 0

    def question(self, user: str, badges: Mapping[str, str]) -> str:
        of = f" of the kind '{self.of}'" if self.of else ""
        count = f"{abs(self.amount):,} point{'' if abs(self.amount) == 1 else 's'}{of}"
        if self.spend:
            return f"Spend {count} of {user}?"
        return f"Take {count} from {user}?" if self.amount < 0 else f"Give {count} to {user}?"

    def data(self) -> dict[str, Any]:
        """Without a kind, as before there were kinds: the same adjustment sent again is recognized by its data."""
        data = Adjustment.data(self)
        return data if self.of else {name: value for name, value in data.items() if name != "of"}

    def resolved(self, target: Target) -> dict[str, Any]:
        earned, balance, many = target.points(self.of)
        if self.spend:
            check_spend(balance, self.amount, many)
        else:
            check_earned(earned, self.amount, many)
        return self.data()

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        kind, amount = data.get("of", ""), data["amount"]
        given, spent = (0, amount) if data.get("spend") else (amount, 0)
        if not kind:
            return replace(state, adjusted=state.adjusted + given, spent=state.spent + spent)
        before = state.kinds.get(kind, (0, 0))
        return replace(state, kinds={**state.kinds, kind: (before[0] + given, before[1] + spent)})


@register
@dataclass(frozen=True, slots=True)
class Freezes(Adjustment):
    """Give freezes from today on. Each covers one missed day, if there are enough for the whole gap."""

    kind = "freezes"
    verb = "Add freezes"
    noun = "gift of freezes"
    command = "freeze"
    example: ClassVar[Data] = {"streak": "login", "count": 2}

    streak: Streak
    count: Annotated[int, Field("number", "How many", f"from 1 to {MAX_FREEZES:,}", least=1, most=MAX_FREEZES)]

    def resolved(self, target: Target) -> dict[str, Any]:
        streak = target.streak(self.streak)
        return {**self.data(), "streak": streak, "day": date.fromordinal(target.today).isoformat()}

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        given = (*state.grants.get(data["streak"], ()), (day_from(data["day"]), data["count"]))
        return replace(state, grants={**state.grants, data["streak"]: given})


@register
@dataclass(frozen=True, slots=True)
class Pause(Adjustment):
    """Require nothing on these days, past or future: no streak ends because of them."""

    kind = "pause"
    verb = "Pause a streak"
    noun = "pause"
    command = "pause"
    applied_by = frozenset({"app", "user"})
    example: ClassVar[Data] = {"streak": "login", "first": "2026-07-01", "last": "2026-07-07"}

    first: Annotated[date, Field("date", "First day", "such as 2026-07-01", option="--from")]
    last: Annotated[date, Field("date", "Last day", "included", option="--to")]
    streak: Annotated[str, Field("streak_or_all", "Streak")] = ""

    def resolved(self, target: Target) -> dict[str, Any]:
        first, last = self.first.toordinal(), self.last.toordinal()
        if last < first:
            raise InvalidInput("last", "must not be before 'first'")
        for name, day in (("first", first), ("last", last)):
            if abs(day - target.today) > MAX_PAUSE_DISTANCE:
                raise InvalidInput(name, f"must be within {MAX_PAUSE_DISTANCE} days of today")
        own = target.caller == "user"
        streak = target.streak(self.streak) if self.streak or own else ""
        if own:
            target.check_pause(streak, first, last)
        return {**self.data(), "streak": streak, "own": own}

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        return replace(state, pauses=_with_days(state.pauses, data))


@register
@dataclass(frozen=True, slots=True)
class Repair(Adjustment):
    """Fill the gap around a missed day, so that the earlier streak continues."""

    kind = "repair"
    verb = "Repair a missed day"
    noun = "repair"
    command = "repair"
    applied_by = frozenset({"app", "user"})
    example: ClassVar[Data] = {"streak": "login", "day": "2026-03-01"}

    streak: Streak
    day: Annotated[date, Field("date", "Missed day", "any day of the gap, such as 2026-03-01")]

    def resolved(self, target: Target) -> dict[str, Any]:
        streak = target.streak(self.streak)
        first, last = target.gap_around(streak, self.day.toordinal())
        if target.caller == "user":
            target.check_repair(streak, last)
        days = {"first": date.fromordinal(first).isoformat(), "last": date.fromordinal(last).isoformat()}
        return {**self.data(), "streak": streak, **days}

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        return replace(state, repairs=_with_days(state.repairs, data))


@register
@dataclass(frozen=True, slots=True)
class TimeZone(Adjustment):
    """Correct the past: the user was in this time zone on these days. Days and streaks are read again, badges stay."""

    kind = "timeZone"
    verb = "Correct the time zone"
    noun = "correction of the time zone"
    command = "zone"
    loads = "all"
    example: ClassVar[Data] = {"zone": "Asia/Tokyo", "first": "2026-03-01", "last": "2026-03-07"}

    zone: Annotated[str, Field("zone", "Time zone", "an IANA name such as Asia/Tokyo")]
    first: Annotated[date, Field("date", "First day", "there, such as 2026-03-01", option="--from")]
    last: Annotated[date, Field("date", "Last day", "there, included; today at the latest", option="--to")]

    def resolved(self, target: Target) -> dict[str, Any]:
        if self.first.year < FIRST_YEAR:
            raise InvalidInput("first", f"must be in {FIRST_YEAR} or later")
        if self.last < self.first:
            raise InvalidInput("last", "must not be before 'first'")
        if self.last.toordinal() > target.today:
            raise InvalidInput("last", "must not be after today; set the user's time zone for the time from now on")
        return self.data()

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        since, until = (
            first_instant(day_from(data["first"]), data["zone"]),
            end_of_day(day_from(data["last"]), data["zone"]),
        )
        return replace(state, corrections=(*state.corrections, (since, until, data["zone"])))


@register
@dataclass(frozen=True, slots=True)
class Exclusion(Adjustment):
    """Keep a user off every leaderboard until this is undone. Points and badges stay; closed periods no longer show the user."""

    kind = "exclusion"
    verb = "Exclude from leaderboards"
    noun = "exclusion"
    command = "exclude"
    example: ClassVar[Data] = {}

    def takes_away(self) -> bool:
        return True

    def question(self, user: str, badges: Mapping[str, str]) -> str:
        return f"Exclude {user} from all leaderboards?"

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        return replace(state, excluded=True)


@register
@dataclass(frozen=True, slots=True)
class Reversal(Adjustment):
    """Take an event back, with everything it led to. Made by its own command, which also works before the event arrives."""

    kind = "reversal"
    verb = "Reverse an event"
    noun = "reversal"
    command = "reverse"
    applied_by = frozenset()
    loads = "all"
    example: ClassVar[Data] = {"event": "message-42"}

    event: Annotated[str, Field("text", "Event", "the event's id")]

    @classmethod
    def fold(cls, state: ManualState, data: Data) -> ManualState:
        """Every reversed event is awaited here; the caller removes those that have arrived."""
        return replace(state, awaited=state.awaited | {data["event"]})


def _with_days(days: Mapping[str, Days], data: Data) -> dict[str, Days]:
    """Days by streak, with the days from `first` to `last` of one adjustment added."""
    span = Days.span(day_from(data["first"]), day_from(data["last"]))
    return {**days, data["streak"]: days.get(data["streak"], Days()) | span}


def with_day(data: Data, day: int) -> Data:
    """The data of an adjustment, with another day."""
    return {**data, "day": date.fromordinal(day).isoformat()}


def day_from(text: str) -> int:
    """The day of an ISO date."""
    return date.fromisoformat(text).toordinal()
