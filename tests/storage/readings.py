"""Everything that can be read from a small database, as the files `expected.json` of tests/fixtures/databases hold it.

The README there says how those files were made. Sections that repeat each other are shortened in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from laurels.auth.chain import Credentials
from laurels.auth.keys import kind_of_hint, verify_key
from laurels.auth.sessions import Sessions
from laurels.engine.events import Event
from laurels.errors import LaurelsError
from laurels.http.responses import encode
from laurels.present.amnesties import amnesty
from laurels.present.catalog import catalog_summary
from laurels.present.history import history_adjustment
from laurels.service.admin import Admin
from laurels.service.insights import Insights
from laurels.service.laurels import Laurels
from laurels.storage.contract import BEGINNING, FIRST_FORMER_STATE, AdjustmentRow

Json = Any
SECTIONS = ("rank", "next", "toward", "streaks", "history")


def as_sent(value: object) -> Json:
    """A value as HTTP sends it."""
    return json.loads(encode(value))


async def read_again(app: Laurels, expected: Mapping[str, Json]) -> dict[str, Json]:
    """Everything that `expected` has, read from this database: its users, leaderboards, periods, keys and sessions."""
    admin, store, insights = Admin(app), app.store, Insights(app, rarity_users=1)
    users = [user async for user in admin.users()]
    counts = await store.counts()
    found: dict[str, Json] = {
        "now": await app.now(),
        "me": expected["me"],
        "defaultZone": "UTC",
        "catalog": catalog_summary(app.catalog),
        "counts": {
            "users": counts.users,
            "events": counts.events,
            "awards": counts.awards,
            "sessions": counts.sessions,
            "lastRecordedAt": counts.last_recorded_at,
        },
        "verify": {"users": len(users), "wrongTallies": await store.wrong_tallies()},
        "users": {user: await read_user(app, user) for user in users},
        "erased": [await read_erased(app, one) for one in expected["erased"]],
        "leaderboards": {
            board: await read_leaderboard(app, board, of_board["periods"], expected["me"])
            for board, of_board in expected["leaderboards"].items()
        },
        "rarity": await insights.rarity(),
        "publicRarity": await Insights(app).public_rarity(),
        "acts": await read_adjustments(app),
        "amnesties": {"amnesties": [amnesty(row) for row in await store.amnesties()]},
        "repeats": [await record_again(app, one["event"]) for one in expected["repeats"]],
        "keys": await read_keys(app, expected["keys"]["accepted"]),
        "sessions": [await read_session(app, one["token"]) for one in expected["sessions"]],
        "upkeep": {
            run.task: {"at": run.at, "outcome": run.outcome}
            for run in await store.maintenance_runs()
            if run.task != FIRST_FORMER_STATE
        },
    }
    await insights.close()
    return as_sent(found)


# ---- users ------------------------------------------------------------------------------------


async def read_user(app: Laurels, user: str) -> dict[str, Json]:
    history: list[Json] = []
    before: int | None = None
    while before is not None or not history:
        page = await app.history(user, limit=15, before=before)
        history.append(as_sent(page))
        before = page.next
        if before is None:
            break
    streaks = as_sent(await app.streaks(user, days=40))
    profile = as_sent(await app.profile(user, include=SECTIONS, days=7))
    return {
        "user": as_sent(await app.user(user)),
        "profile": shortened(app, profile, history, streaks["streaks"]),
        "streaks": streaks,
        "history": history,
        "explanations": as_sent([await app.explain(user, badge.id) for badge in app.catalog.badges]),
        "moments": [
            [shown.id, shown.type, as_sent(shown.at), shown.data]
            for _, shown in (await app.notifications({user: BEGINNING}, 1000)).get(user, ())
        ],
        "differences": as_sent(await Admin(app).verify(user)),
    }


def shortened(app: Laurels, profile: Json, history: Sequence[Json], streaks: Sequence[Json]) -> Json:
    """A profile with ids for badges and revisions for its history, and without its streaks, after comparing all of them."""
    badges = {badge.id: as_sent(badge) for badge in catalog_summary(app.catalog).badges}
    for name in ("badges", "availableBadges"):
        assert all(badges[one["id"]] == one for one in profile[name])
        profile[name] = [one["id"] for one in profile[name]]
    assert profile.pop("streaks") == [{**one, "days": one["days"][:7]} for one in streaks]
    assert all(one in profile["toward"] for one in profile["next"])
    profile["next"] = [one["id"] for one in profile["next"]]
    entries = {one["revision"]: one for page in history for one in page["entries"]}
    for one in profile["history"]["entries"]:  # without what others wrote; see tests/http/test_own_history.py
        whole = entries[one["revision"]]
        assert all(one[name] == whole[name] for name in ("revision", "at", "awards", "points"))
    profile["history"]["entries"] = [one["revision"] for one in profile["history"]["entries"]]
    return profile


async def read_erased(app: Laurels, expected: Mapping[str, Json]) -> dict[str, Json]:
    """The errors that reading and recording an unknown or erased user give."""
    user = expected["userId"]
    recorded = None if expected["record"] is None else await error_of(app.record(Event(user, "again", "login")))
    return {"userId": user, "profile": await error_of(app.profile(user)), "record": recorded}


async def error_of(work: Any) -> str | None:
    try:
        await work
    except LaurelsError as error:
        return type(error).__name__
    return None


# ---- leaderboards -----------------------------------------------------------------------------


async def read_leaderboard(app: Laurels, board: str, periods: Mapping[str, Json], me: str) -> dict[str, Json]:
    shape = as_sent(next(one for one in (await app.leaderboards()).leaderboards if one.id == board))
    found = {period: await read_period(app, shape, period, expected, me) for period, expected in periods.items()}
    return {"board": shape, "closings": as_sent(await app.closings(board, 100)), "periods": found}


async def read_period(app: Laurels, shape: Json, period: str, expected: Mapping[str, Json], me: str) -> dict[str, Json]:
    """All pages of a period, the page with one's own line, and those around users and of friends that `expected` has."""
    bounds: list[Json] = []

    async def page(**request: Any) -> Json:
        found = as_sent(await app.leaderboard(shape["id"], period, **request))
        assert found.pop("board") == shape
        assert found.pop("computedAt") == as_sent(await app.now())
        bounds.append(found.pop("period"))
        return found

    pages = [await page(limit=6)]
    while pages[-1]["next"]:
        pages.append(await page(limit=6, after=pages[-1]["next"]))
    found = {"pages": pages, "me": await page(limit=2, me=me)}
    if "around" in expected:
        user = expected["around"]["user"]
        found["around"] = {"user": user, "page": await page(limit=3, around=user)}
    if "aroundMe" in expected:
        found["aroundMe"] = await page(limit=2, around=me, me=me)
    if "friends" in expected:
        users = expected["friends"]["users"]
        found["friends"] = {"users": users, "page": await page(friends=users, me="cyd")}
    assert all(one == bounds[0] for one in bounds)
    return {"period": bounds[0], **found}


# ---- everything else --------------------------------------------------------------------------


async def read_adjustments(app: Laurels) -> dict[str, Json]:
    first = await app.store.newest_adjustments(15)
    last = first[-1]
    following = await app.store.newest_adjustments(100, (last.at, last.user_id, last.adjustment_id))
    return {"first": shown_adjustments(first), "behind": shown_adjustments(following)}


def shown_adjustments(rows: Iterable[AdjustmentRow]) -> list[Json]:
    return [{"userId": row.user_id, "at": row.at, "adjustment": history_adjustment(row)} for row in rows]


async def record_again(app: Laurels, sent: Mapping[str, Json]) -> dict[str, Json]:
    """The answer to an event that is recorded already."""
    occurred_at = datetime.fromisoformat(sent["occurredAt"]) if sent["occurredAt"] else None
    event = Event(sent["userId"], sent["id"], sent["type"], occurred_at, sent["quantity"], sent["data"])
    return {"event": sent, "answer": await app.record(event)}


async def read_keys(app: Laurels, accepted: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    async def name_of(key: str, role: Any) -> str | None:
        try:
            return (await verify_key(app.store, key, app.clock, None, role)).name
        except LaurelsError:
            return None

    return {
        "list": [
            {
                "name": key.name,
                "role": kind_of_hint(key.hint),
                "hint": key.hint,
                "createdAt": key.created_at,
                "revokedAt": key.revoked_at,
            }
            for key in await app.store.keys()
        ],
        "accepted": [{**one, "name": await name_of(one["key"], one["role"])} for one in accepted],
    }


async def read_session(app: Laurels, token: str) -> dict[str, Json]:
    """The user of a session of the app; None if it is not valid."""
    try:
        caller = await Sessions(app).verify(Credentials({"laurels-session": [token]}))
    except LaurelsError:
        caller = None
    return {"token": token, "userId": caller.user_id if caller else None}
