"""Reports on every engine: badge holders, finding users, samples, the newest adjustments, and maintenance runs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from laurels.engine.days import Days
from laurels.engine.progress import Progress
from laurels.storage.contract import (
    AdjustmentRow,
    AwardRow,
    Changes,
    LedgerRow,
    LoadRequest,
    MaintenanceRun,
    PointsPaid,
    ReportUser,
    Store,
    UserRow,
)
from laurels.storage.prefixes import end_of_prefix
from tests.support import MONDAY

pytestmark = pytest.mark.anyio


def user(user_id: str, name: str | None = None) -> UserRow:
    return UserRow(user_id, name, MONDAY, 1, "rules", Progress(days={"login": Days(MONDAY.toordinal(), 0b101)}))


def award(user_id: str, badge: str, revision: int = 1) -> AwardRow:
    return AwardRow(user_id, badge, revision, MONDAY + timedelta(hours=revision), 10, None)


def entry(user_id: str, revision: int, amount: int, days: float = 0, reason: str = "rule", ref: str = "a") -> LedgerRow:
    return LedgerRow(user_id, revision, 0, MONDAY + timedelta(days=days), amount, reason, ref, None)


def act(user_id: str, name: str, hours: int, revision: int = 1) -> AdjustmentRow:
    at = MONDAY + timedelta(hours=hours)
    return AdjustmentRow(user_id, name, revision, at, "grant", {"badge": "x"}, "because", "ann", None)


async def save(store: Store, *users: UserRow, **rows: Any) -> None:
    asked = frozenset(row.user_id for row in users)
    await store.change(LoadRequest(asked, frozenset(), "rules"), lambda _: Changes([*users], **rows))


async def found(store: Store, text: str, limit: int = 10) -> Sequence[str]:
    return [row.user_id for row in await store.find_users(text, limit)]


# ---- holders ----------------------------------------------------------------------------------


async def test_holders_are_counted_badge_by_badge(store: Store) -> None:
    users = [user(f"u{number}") for number in range(30)]
    awards = [award(f"u{number}", badge) for number in range(30) for badge in ("a", "b", "c")[: number % 4]]
    await save(store, *users, awards=awards)

    assert await store.badge_holders() == Counter(row.badge for row in awards)


async def test_an_empty_database_has_no_badge_holders(store: Store) -> None:
    assert await store.badge_holders() == {}


async def test_a_revoked_badge_has_no_holder(store: Store) -> None:
    await save(store, user("ada"), user("bob"), awards=[award("ada", "a"), award("bob", "a"), award("bob", "b")])
    await save(store, user("bob"), revoked=[("bob", "a"), ("bob", "b")])

    assert await store.badge_holders() == {"a": 1}


# ---- finding users ----------------------------------------------------------------------------


async def test_ids_that_begin_with_the_text_come_first_then_names_that_contain_it(store: Store) -> None:
    await save(
        store, user("ann-2"), user("ann-1"), user("x", "Hannah"), user("y", "Joanna"), user("z", "Bob"), user("w")
    )

    assert await found(store, "ann") == ["ann-1", "ann-2", "x", "y"]


async def test_a_name_is_found_in_any_case_and_an_id_only_as_it_is(store: Store) -> None:
    await save(store, user("ADA", "nobody"), user("u", "aDa Lovelace"))

    assert await found(store, "ada") == ["u"]
    assert await found(store, "ADA") == ["ADA", "u"]


async def test_a_user_found_by_id_and_by_name_is_listed_once(store: Store) -> None:
    await save(store, user("ada", "Ada"), user("b", "Ada"))

    assert await found(store, "ada") == ["ada", "b"]


@pytest.mark.parametrize("text", ["%", "_", "\\", "a%c", "a_c", "*", "?", "'"])
async def test_the_text_is_matched_literally(store: Store, text: str) -> None:
    await save(store, user("abc", "abc"), user(f"{text}-id"), user("x", f"in {text} between"))

    assert await found(store, text) == [f"{text}-id", "x"]


async def test_at_most_the_limit_is_found(store: Store) -> None:
    await save(store, *(user(f"a{number}") for number in range(5)), *(user(f"b{number}", "a") for number in range(5)))

    assert await found(store, "a", 3) == ["a0", "a1", "a2"]
    assert await found(store, "a", 7) == ["a0", "a1", "a2", "a3", "a4", "b0", "b1"]


async def test_the_empty_text_begins_every_id(store: Store) -> None:
    await save(store, user("b"), user("a"), user("🙂"))

    assert await found(store, "") == ["a", "b", "🙂"]
    assert await found(store, "", 2) == ["a", "b"]


async def test_a_whole_row_is_found(store: Store) -> None:
    await save(store, user("ada", "Ada"), user("bob", "Bob"))

    assert await store.find_users("ada", 5) == [user("ada", "Ada")]
    assert await store.find_users("BO", 5) == [user("bob", "Bob")]


@pytest.mark.parametrize("text", ["a", "é", "\ud7ff", "\U0010ffff", "a\U0010ffff", "🙂"])
async def test_the_ids_that_begin_with_a_text_are_found_to_the_last(store: Store, text: str) -> None:
    users = [text, text + "\U0010ffff", text + "a"]
    others = [chr(ord(text[0]) - 1), "\ue000", "b"]
    await save(store, *(user(one) for one in {*users, *others}))

    assert await found(store, text) == sorted(one for one in {*users, *others} if one.startswith(text))
    assert end_of_prefix(text) > text + "\U0010ffff"


# ---- samples and surveys ----------------------------------------------------------------------


async def test_few_users_are_all_in_the_sample(store: Store) -> None:
    await save(store, user("a"), user("b"), user("c"))

    sample = await store.sample(3)

    assert (sorted(sample.user_ids), sample.users) == (["a", "b", "c"], 3)


async def test_a_sample_of_many_users_is_even_and_always_the_same(store: Store) -> None:
    await save(store, *(user(f"user-{number:04}") for number in range(2000)))

    sample = await store.sample(500)

    assert sample == await store.sample(500)
    assert (len({*sample.user_ids}), sample.users) == (500, 2000)
    quarters = Counter(int(user_id[-4:]) // 500 for user_id in sample.user_ids)
    assert all(75 < quarters[quarter] < 175 for quarter in range(4)), quarters


async def test_the_community_report_has_the_row_the_awards_and_the_points_by_day_and_reason(store: Store) -> None:
    entries = [
        entry("ada", 1, 5),
        entry("ada", 2, 7, days=0.4),
        entry("ada", 3, 11, days=0.5),  # noon on Monday and half a day: Tuesday
        entry("ada", 4, 13, reason="badge", ref="x"),
        entry("ada", 5, -3, ref="b"),
        entry("ada", 6, 1, days=-30_000),
    ]
    awards = [award("ada", "a", 2), award("ada", "b", 1)]
    await save(store, user("ada"), user("bob"), awards=awards, ledger=[*entries, entry("bob", 1, 99)])

    today = MONDAY.toordinal()
    assert await store.community_report(["bob", "nobody", "ada"]) == [
        ReportUser(
            user("ada"),
            awards[::-1],
            [
                PointsPaid(today - 30_000, "rule", "a", 1),
                PointsPaid(today, "badge", "x", 13),
                PointsPaid(today, "rule", "a", 12),
                PointsPaid(today, "rule", "b", -3),
                PointsPaid(today + 1, "rule", "a", 11),
            ],
        ),
        ReportUser(user("bob"), [], [PointsPaid(today, "rule", "a", 99)]),
    ]


async def test_the_community_report_of_no_users_is_empty(store: Store) -> None:
    assert await store.community_report([]) == []


# ---- adjustments and maintenance runs ---------------------------------------------------------


async def test_the_newest_adjustments_of_all_users_are_read_page_by_page(store: Store) -> None:
    draw = random.Random(3)
    users = [user(f"u{number}") for number in range(5)]
    adjustments = [act(f"u{number % 5}", f"act-{number}", draw.randrange(6), number + 1) for number in range(40)]
    await save(store, *users, adjustments=adjustments)

    pages: list[AdjustmentRow] = []
    while page := await store.newest_adjustments(
        7, (pages[-1].at, pages[-1].user_id, pages[-1].adjustment_id) if pages else None
    ):
        assert len(page) <= 7
        pages += page

    assert pages == sorted(adjustments, key=lambda row: (row.at, row.user_id, row.adjustment_id), reverse=True)


async def test_the_last_run_of_each_maintenance_task_is_stored(store: Store) -> None:
    assert await store.maintenance_runs() == []
    verified = MaintenanceRun("verify", MONDAY, {"ok": False, "users": 3})

    await store.save_maintenance_run(replace(verified, at=MONDAY - timedelta(days=1), outcome={}))
    await store.save_maintenance_run(verified)
    await store.save_maintenance_run(MaintenanceRun("backup", MONDAY, {"bytes": 5}))

    assert await store.maintenance_runs() == [MaintenanceRun("backup", MONDAY, {"bytes": 5}), verified]


async def test_reports_include_what_was_written_just_before(store: Store) -> None:
    for number in range(3):
        await save(store, user(f"u{number}", "Same"), awards=[award(f"u{number}", "a")])
        assert await store.badge_holders() == {"a": number + 1}
        assert len(await store.find_users("same", 10)) == number + 1
        assert (await store.sample(10)).users == number + 1
