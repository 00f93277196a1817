"""The audit in the database: its rows survive, are filtered and paged, and every filter is read by an index."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from laurels.storage.contract import AuditFilter, AuditRow, Principal, Store
from laurels.storage.postgres.store import PostgresStore
from tests.support import MONDAY, behind

pytestmark = pytest.mark.anyio

BY = Principal("operator", "anna")


def row(name: str, hours: int = 0, **more: object) -> AuditRow:
    made = AuditRow(name, MONDAY + timedelta(hours=hours), "user.changed", BY, "user", "ada")
    return replace(made, **more)  # type: ignore[arg-type]


async def test_every_field_of_a_row_survives(store: Store) -> None:
    rows = [
        row("a", 1, detail={"fields": ["name"]}, address="192.0.2.1", request_id="r", times=3),
        row("b", 0, principal=None, target_kind=None, target=None, kind="operator.sign_in_failed"),
    ]
    for one in rows:
        await store.add_audit(one)
    assert await store.audit(10) == rows


async def test_a_row_with_a_known_id_adds_its_times(store: Store) -> None:
    await store.add_audit(row("a"))
    await store.add_audit(row("a", 5, times=4))
    assert await store.audit(10) == [row("a", times=5)]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (AuditFilter(), ["d", "c", "b", "a"]),
        (AuditFilter(principal="anna"), ["d", "b", "a"]),
        (AuditFilter(kind="key.created"), ["d"]),
        (AuditFilter(user_id="ada"), ["b", "a"]),
        (AuditFilter(since=MONDAY + timedelta(hours=1), until=MONDAY + timedelta(hours=3)), ["c", "b"]),
        (AuditFilter(principal="anna", user_id="ada", until=MONDAY + timedelta(hours=1)), ["a"]),
    ],
)
async def test_rows_are_filtered_and_paged(store: Store, only: AuditFilter, names: list[str]) -> None:
    others = {"target": "bob", "principal": Principal("key", "my-app")}
    key = {"kind": "key.created", "target_kind": "key", "target": "ada"}  # a key may have the name of a user
    for one in (row("a"), row("b", 1), row("c", 2, **others), row("d", 3, **key)):
        await store.add_audit(one)
    assert [one.audit_id for one in await store.audit(10, None, only)] == names
    paged: list[AuditRow] = []
    while page := await store.audit(1, (paged[-1].at, paged[-1].audit_id) if paged else None, only):
        paged += page
    assert [one.audit_id for one in paged] == names


@pytest.mark.parametrize(
    ("table", "condition", "order", "index"),
    [
        ("audit", "at > 0", "at, audit_id", "audit_by_time"),
        ("audit", "principal_name = 'anna'", "at, audit_id", "audit_by_principal"),
        ("audit", "kind = 'key.created'", "at, audit_id", "audit_by_kind"),
        ("audit", "target = 'ada'", "at, audit_id", "audit_by_target"),
        ("adjustments", "kind = 'grant'", "at, user_id, adjustment_id", "adjustments_by_kind"),
        (
            "adjustments",
            "coalesce(principal_name, actor){} = 'anna'",
            "at, user_id, adjustment_id",
            "adjustments_by_principal",
        ),
        ("adjustments", "user_id = 'ada'", "at, adjustment_id", "adjustments_by_user"),
    ],
)
async def test_every_filter_has_an_index_in_the_order_of_the_list(
    store: Store, table: str, condition: str, order: str, index: str
) -> None:
    is_postgres = isinstance(store, PostgresStore)
    text = condition.format(' COLLATE "C"' if is_postgres else "")
    descending = ", ".join(f"{name} DESC" for name in order.split(", "))
    question = f"SELECT * FROM {table} WHERE {text} ORDER BY {descending} LIMIT 1"
    async with behind(store) as ask:
        if is_postgres:  # an empty table is read without an index otherwise
            for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
                await ask(f"SELECT set_config('{setting}', 'off', false)")
        shown = repr(await ask(f"EXPLAIN {'' if is_postgres else 'QUERY PLAN '}{question}"))
    assert index in shown, shown
    assert not any(sort in shown for sort in ("TEMP B-TREE", "Sort")), shown
