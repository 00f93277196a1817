"""What must be true afterwards, whatever has happened."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from typing import Any

from laurels.errors import UserErased
from laurels.service.admin import Admin
from laurels.service.laurels import Laurels
from laurels.storage.codec import from_micros
from laurels.storage.contract import Store
from tests.support import behind, check_file, check_ledgers, check_tallies, contents, postgres
from tests.torture.story import CATALOG, GONE, MOST_OFF, NOTES, NOW, PLAIN

Identity = tuple[str, str]

REFUSALS = {"UserErased", "UserNotFound", "AdjustmentNotFound", "AdjustmentRefused"}
"""What a story may be refused: it speaks of users and acts that are not there yet, or no more."""


async def check(database: str, lines: list[dict[str, Any]]) -> dict[str, int]:
    """Compare everything with the answers that the workers received. Returns some figures."""
    faults = [line["error"] for line in lines if line["what"] == "fault"]
    assert not faults, "\n".join(faults[:3])
    assert {line["error"] for line in lines if line["what"] == "refused"} <= REFUSALS
    async with Laurels.open(database, CATALOG, clock=lambda: NOW) as laurels:
        store = laurels.store
        await laurels.erasures.finish()  # what killed processes left goes on when one starts
        await check_file(store)
        erased, acknowledged = await _check_erased(store, lines)
        await _check_answers(store, lines, erased)
        await _check_acts(store, lines)
        await _check_chains(store)
        await _check_spends(store)
        await _check_days(store)
        await _check_plain(store)
        await check_ledgers(store)
        await check_tallies(store)
        await _check_rebuilt(laurels)
        for name in acknowledged:
            await _is_refused(laurels, name)
        counts = await store.counts()
    return {"events": counts.events, **Counter(line["what"] for line in lines)}


def _answers(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All answers for events, those of refused ones too."""
    return [one for line in lines if line["what"] == "answered" and line["kind"] == "events" for one in line["answer"]]


# ---- events -----------------------------------------------------------------------------------


async def _check_answers(store: Store, lines: list[dict[str, Any]], erased: set[str]) -> None:
    """Every acknowledged event is there once, every answer says what is stored, and the first is the only first."""
    async with behind(store) as ask:
        rows = await ask("SELECT user_id, event_id, outcome, rank_before, rank_after FROM events")
    stored = {(user, name): (outcome, before, after) for user, name, outcome, before, after in rows}
    assert len(stored) == len(rows)
    firsts: Counter[Identity] = Counter()
    for answer in _answers(lines):
        if "error" in answer:
            assert answer["error"] == "UserErased"
            continue
        identity: Identity = (answer["event"][0], answer["event"][1])
        firsts[identity] += not answer["duplicate"]
        if identity[0] not in erased:
            assert identity in stored, f"{identity} was acknowledged and is not there"
            _check_answer(answer, *stored[identity])
    assert max(firsts.values(), default=0) <= 1, [one for one, number in firsts.items() if number > 1]
    unheard = stored.keys() - {identity for identity, number in firsts.items() if number}
    own = {(user, name) for user, name in unheard if name.startswith("laurels:") or "login" in name}
    assert unheard - own <= _in_flight_at_an_end(lines), "an event was stored, and nobody was told that it was new"


def _check_answer(answer: dict[str, Any], outcome: str | None, before: int | None, after: int | None) -> None:
    kept = json.loads(outcome) if outcome else {"points": None, "awards": []}
    assert answer["points"] == kept["points"], answer
    assert answer["awards"] == [name for name, _ in kept["awards"]], answer
    if kept["points"]:
        assert answer["ranks"] == [before, after], answer


def _in_flight_at_an_end(lines: list[dict[str, Any]]) -> set[Identity]:
    """Events of requests whose answer was lost: by the end of a life, or by an error that says it does not know."""
    open_requests: dict[tuple[int, int, int], list[Any]] = {}
    lost: set[Identity] = set()
    for line in lines:
        request = (line["worker"], line["life"], line["step"])
        if line["what"] == "sent":
            open_requests[request] = line["events"]
            continue
        events = open_requests.pop(request)
        if line["what"] == "lost" and ("not known" in line["error"] or "SQLite" in line["error"]):
            lost |= {(user, name) for user, name in events}
    return lost | {(user, name) for events in open_requests.values() for user, name in events}


# ---- acts, users ------------------------------------------------------------------------------


async def _check_acts(store: Store, lines: list[dict[str, Any]]) -> None:
    """Every acknowledged act is there; each was new once at most."""
    async with behind(store) as ask:
        stored = {(user, name) for user, name in await ask("SELECT user_id, adjustment_id FROM adjustments")}
    firsts: Counter[tuple[str, str, str]] = Counter()
    for line in lines:
        if line["what"] == "answered" and line["kind"] in ("grant", "revocation", "points", "spend"):
            user, name = line["answer"]["act"]
            assert (user, name) in stored
            firsts[line["kind"], user, name] += not line["answer"]["duplicate"]
    assert max(firsts.values(), default=0) <= 1


async def _check_erased(store: Store, lines: list[dict[str, Any]]) -> tuple[set[str], set[str]]:
    """Nothing is left of users whose erasure was acknowledged; nor of those whose answer was lost, if they are gone.

    Returns all who are not there, of whom some may never have been, and those whose erasure was acknowledged.
    """
    kinds = [(line["user"], line["what"]) for line in lines if line["kind"] == "erase" and "user" in line]
    acknowledged = {user for user, what in kinds if what == "answered"}
    everything = await contents(store)
    left = {name for row in everything["users"] for name in row if name in GONE}
    assert not acknowledged & left
    gone = {*GONE} - left
    for table, rows in everything.items():
        assert not [row for row in rows if gone & {cell for cell in row if isinstance(cell, str)}], table
    return gone, acknowledged


async def _is_refused(laurels: Laurels, user_id: str) -> None:
    try:
        await laurels.update_user(user_id, name="back")
    except UserErased:
        return
    raise AssertionError(f"{user_id} came back")


async def _check_chains(store: Store) -> None:
    """The points in the answer to each event are those of the ledger before and after it."""
    async with behind(store) as ask:
        entries = await ask(
            "SELECT user_id, revision, sum(amount) FROM ledger WHERE reason <> 'spend' GROUP BY user_id, revision"
        )
        events = await ask("SELECT user_id, revision, outcome FROM events WHERE outcome IS NOT NULL")
    ledger: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for user, revision, amount in sorted(entries):
        ledger[user].append((revision, int(amount)))
    balances: dict[tuple[str, int], tuple[int, int]] = {}
    for user, changes in ledger.items():
        balance = 0
        for revision, amount in changes:
            balances[user, revision] = (balance, balance + amount)
            balance += amount
    for user, revision, outcome in events:
        points = json.loads(outcome)["points"]
        if points:
            assert balances[user, revision] == tuple(points), (user, revision)


async def _check_spends(store: Store) -> None:
    """No spend was more than the balance at its place in the ledger."""
    async with behind(store) as ask:
        entries = await ask("SELECT user_id, revision, position, amount, reason FROM ledger")
    balances: Counter[str] = Counter()
    for user, _, _, amount, reason in sorted(entries):
        balances[user] += amount
        assert reason != "spend" or amount > 0 or balances[user] >= 0, (user, balances[user], amount)


async def _check_days(store: Store) -> None:
    """With any clocks, an event's day is that of its time, and no recording time is one that no clock showed."""
    async with behind(store) as ask:
        rows = await ask("SELECT user_id, event_id, occurred_at, sent_at, recorded_at, day FROM events")
    for user, name, occurred, sent, recorded, day in rows:
        assert day == from_micros(occurred).date().toordinal(), (user, name)
        assert occurred == (recorded if sent is None else sent), (user, name)
        assert abs(from_micros(recorded) - NOW) < 2 * MOST_OFF, (user, name)


async def _check_plain(store: Store) -> None:
    """Users who had only events have, by plain counting, a point for each note and each badge of their notes once."""
    async with behind(store) as ask:
        notes = dict(await ask("SELECT user_id, count(*) FROM events WHERE type = 'note' GROUP BY user_id"))
        paid = dict(await ask("SELECT user_id, sum(amount) FROM ledger WHERE ref = 'note' GROUP BY user_id"))
        badges = await ask("SELECT user_id, ref, amount FROM ledger WHERE reason = 'badge'")
    for user in PLAIN:
        count = notes.get(user, 0)
        assert paid.get(user, 0) == count
        of_notes = sorted((ref, amount) for who, ref, amount in badges if who == user and ref in NOTES)
        assert of_notes == sorted((name, least) for name, least in NOTES.items() if count >= least)


async def _check_rebuilt(laurels: Laurels) -> None:
    """Verifying finds nothing, and rebuilding everything changes nothing."""
    admin = Admin(laurels)
    names = [name async for name in admin.users()]
    found = [difference for name in names for difference in await admin.verify(name)]
    assert found == []
    assert await laurels.store.wrong_tallies() == 0
    before = await contents(laurels.store)
    for name in names:
        assert not await admin.rebuild(name), name
    await laurels.store.rebuild_tallies()
    assert await contents(laurels.store) == before


# ---- the server -------------------------------------------------------------------------------


async def check_quiet(address: str) -> None:
    """No connection of ours is left in a transaction, and no lock is held."""
    mine = "SELECT state, query FROM pg_stat_activity WHERE application_name = 'laurels' AND state <> 'idle'"
    locks = "SELECT objid, mode FROM pg_locks WHERE locktype = 'advisory'"
    left: list[object] = []
    for _ in range(300):  # what was given up ends by itself, soon
        left = [*await postgres.run(address, mine), *await postgres.run(address, locks)]
        if not left:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(left)
