"""Run the cases of docs/streak-cases.json against a streak engine: python examples/check_streak_cases.py.

An engine is one coroutine: it is given a case and answers a Reading. `laurels_reads` below is that of Laurels. To check
another engine, write its coroutine and hand it to `check`. What a case and a Reading contain is described in
docs/streaks.md. Each case is run with its events in several orders, and with all of them sent twice: nothing may change.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

from laurels import Admin, Catalog, Event, Laurels, LaurelsError, ZoneChangeTooSoon
from laurels.testing import TestClock, sandbox

CASES = Path(__file__).parent.parent / "docs" / "streak-cases.json"
EVERY_DAY = 3660
USER = "ada"

Case = Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """What an engine answers. A case without a field accepts any value of it."""

    dates: Sequence[str]
    length: int
    status: str
    longest: int
    freezesLeft: int  # noqa: N815  # the names are those of the cases
    frozen: Sequence[str]
    excused: Sequence[str]
    paused: Sequence[str]
    missed: Sequence[str]
    endsAt: str | None  # noqa: N815
    badges: Sequence[str]
    refused: int = 0


Reads = Callable[[Case], Awaitable[Reading]]


def cases() -> list[Case]:
    """All published cases."""
    return json.loads(CASES.read_text("utf-8"))["cases"]


async def check(reads: Reads, case: Case) -> list[str]:
    """What an engine reads otherwise than the case says, in whatever order the events arrive; nothing where it conforms."""
    faults: list[str] = []
    for order in _orders(case["events"]):
        reading = await reads({**case, "events": order})
        expected = {key: case[key] for key in Reading.__annotations__ if key in case} | {"refused": _refused(case)}
        for key, value in expected.items():
            found = getattr(reading, key)
            if found != value:
                faults.append(f"{case['name']}: {key} is {found}, and should be {value}")
    return list(dict.fromkeys(faults))


def _orders(events: list[Any]) -> Iterator[list[Any]]:
    yield events
    yield events[::-1]
    yield events * 2
    yield Random(1).sample(events, len(events))  # noqa: S311  # the same order on every run


def _refused(case: Case) -> int:
    """How many adjustments of the case must be refused."""
    adjustments = [one for key in ("zoneChanges", "pauses", "repairs") for one in case.get(key, [])]
    return sum(1 for one in adjustments if one.get("refused"))


# ---- Laurels ----------------------------------------------------------------------------------


async def laurels_reads(case: Case) -> Reading:
    """Live through a case with Laurels itself: its facade, its database, and a clock that moves."""
    async with sandbox(_catalog(case), late_window=None) as (laurels, clock):
        clock.set(datetime(2000, 1, 1, tzinfo=UTC))
        await laurels.update_user(USER, groups=case.get("groups", []))
        refused = await _live(laurels, clock, case)
        refused += await _adjust(laurels, clock, case)
        clock.set(_at(case["readAt"]))
        return replace(await _read(laurels), refused=refused)


async def _live(laurels: Laurels, clock: TestClock, case: Case) -> int:
    """The zones, each set at its time, and the events. How many changes of zone were refused.

    Where the first zone becomes known late, each zone is set between the events before and after its time.
    """
    late = case.get("zoneKnownAt")
    zones = [(late or clock.now.isoformat(), case["zone"])]
    zones += [(change["at"], change["zone"]) for change in case.get("zoneChanges", [])]
    ids = {id(event): f"e-{index}" for index, event in enumerate(case["events"])}
    waiting, refused = list(case["events"]), 0
    for at, zone in zones:
        for event in [event for event in waiting if late and _at(event["at"]) < _at(at)]:
            waiting.remove(event)
            await _record(laurels, clock, event, ids[id(event)])
        clock.set(_at(at))
        try:
            await laurels.update_user(USER, time_zone=zone)
        except ZoneChangeTooSoon:
            refused += 1
    for event in waiting:
        await _record(laurels, clock, event, ids[id(event)])
    return refused


async def _record(laurels: Laurels, clock: TestClock, event: Mapping[str, Any], event_id: str) -> None:
    clock.set(_at(event.get("recordedAt", event["at"])))
    await laurels.record(Event(USER, event_id, "done", _at(event["at"]), event.get("quantity", 1)))
    if event.get("reversed"):
        await Admin(laurels).reverse(USER, event_id, "a mistake", "an admin")


async def _adjust(laurels: Laurels, clock: TestClock, case: Case) -> int:
    """Amnesties, freezes given, pauses, repairs and corrections of zones. How many were refused."""
    admin = Admin(laurels)
    clock.set(_at(case["readAt"]))
    for one in case.get("amnesties", []):
        days = (date.fromisoformat(one["from"]), date.fromisoformat(one["to"]))
        row = await admin.add_amnesty(*days, "an outage", "an admin", one.get("group"))
        if one.get("lifted"):
            await admin.lift_amnesty(row.id)
    adjustments = [("freezes", one["at"], {"count": one["count"]}, one) for one in case.get("grants", [])]
    adjustments += [
        ("pause", _adjusted_at(one, case), {"first": one["from"], "last": one["to"]}, one)
        for one in case.get("pauses", [])
    ]
    adjustments += [("repair", _adjusted_at(one, case), {"day": one["day"]}, one) for one in case.get("repairs", [])]
    adjustments = [(kind, at, {"streak": "case", **data}, one) for kind, at, data, one in adjustments]
    adjustments += [
        ("timeZone", case["readAt"], {"zone": one["zone"], "first": one["from"], "last": one["to"]}, one)
        for one in case.get("zoneCorrections", [])
    ]
    refused = 0
    for index, (kind, at, data, one) in enumerate(adjustments):
        clock.set(_at(at))
        try:
            own = one.get("by") == "user"
            await admin.adjust(USER, f"act-{index}", kind, data, "a reason", "an admin", own=own)
        except LaurelsError:
            refused += 1
    return refused


def _adjusted_at(one: Mapping[str, Any], case: Case) -> str:
    return one.get("toldAt", case["readAt"])


async def _read(laurels: Laurels) -> Reading:
    shape = next(one for one in (await laurels.streaks(USER, EVERY_DAY)).streaks if one.name == "case")
    days: dict[str, list[str]] = {}
    for one in reversed(shape.days):
        days.setdefault(one.why, []).append(one.day.isoformat())
    return Reading(
        dates=days.get("credited", []),
        length=shape.length,
        status=shape.status,
        longest=shape.longest,
        freezesLeft=shape.freezes,
        frozen=days.get("frozen", []),
        excused=days.get("excused", []),
        paused=days.get("paused", []),
        missed=days.get("missed", []),
        endsAt=f"{shape.ends_at:%Y-%m-%dT%H:%M:%SZ}" if shape.ends_at else None,
        badges=[badge.id for badge in (await laurels.profile(USER)).badges],
    )


CATALOG = """
[profile]
login_event = "login"
login_streak = "login"
[[levels]]
title = "One"
points = 0
[streaks.login]
events = ["login"]
[[badges]]
id = "login_streak_7"
name = "Seven"
description = "Seven days in a row"
icon = "7"
category = "usage"
points = 10
condition = "7 days"
when = { streak = "case", streak_of = 7 }
[[badges]]
id = "login_streak_30"
name = "Thirty"
description = "Thirty days in a row"
icon = "30"
category = "usage"
points = 10
condition = "30 days"
when = { streak = "case", streak_of = 30 }
[streaks.case]
events = ["done"]
"""


def _catalog(case: Case) -> Catalog:
    """A catalog with the streak of the case."""
    rule: Mapping[str, Any] = case.get("rule", {})
    lines = [f"amount = {rule.get('amount', 1)}", f'cadence = "{rule.get("cadence", "daily")}"']
    lines += [f"{name} = {json.dumps(rule[key])}" for key, name in TEXTS.items() if key in rule]
    lines += [f"{name} = {rule[key]}" for key, name in DAYS.items() if key in rule]
    freezes = rule.get("freezes", {"initial": case.get("freezes", 0)})
    parts = [f"{name} = {freezes[key]}" for key, name in FREEZES.items() if key in freezes]
    return Catalog.parse(CATALOG + "\n".join([*lines, f"freezes = {{ {', '.join(parts)} }}"]))


TEXTS = {"dayStarts": "day_starts", "restDays": "rest_days", "weekStarts": "week_starts", "days": "days"}
DAYS = {"lateDays": "late_days", "pauseDays": "pause_days", "repairDays": "repair_days"}
FREEZES = {"initial": "initial", "perDays": "per_days", "most": "most"}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def _check_all() -> list[str]:
    return [fault for case in cases() for fault in await check(laurels_reads, case)]


def main() -> int:
    """Check Laurels; 1 where a case is read otherwise."""
    faults = asyncio.run(_check_all())
    print("\n".join(faults) or f"All {len(cases())} cases are read as they say.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
