"""A believable community of any size: users with badges, points, streaks and places on the board, made fast.

A few thousand histories are lived through event by event, by the engine itself. Every user then is one of them, under
a new id and with points that count at another moment, and is saved by the store's own `change`; scores and places are
those that the product's own code makes of the ledger, and the tallies are counted in the end. So a million users take
minutes, where a million histories would take hours. Of the events themselves only each history's newest few are stored;
no reading of a profile or a board looks at them.

The community lives at one fixed moment, NOON, so that "today" is the same in every run. Built once, kept in the
cache folder, and built anew when the schema, the catalog, the packing or this file changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from rich.progress import track

from bench.machine import cache_folder
from laurels.auth.keys import create_key
from laurels.auth.sessions import Sessions
from laurels.commands.rank_changes import places_of
from laurels.commands.rows import earned
from laurels.engine.catalog import Catalog
from laurels.engine.events import Event
from laurels.engine.judge import judge
from laurels.engine.progress import Outcome, Progress
from laurels.engine.scoring import open_periods, recounted
from laurels.engine.zones import Zones
from laurels.service.laurels import Laurels
from laurels.storage.codec import to_micros
from laurels.storage.columns import PLACE
from laurels.storage.contract import AwardRow, Changes, EventRow, LedgerRow, LoadRequest, UserRow

Standing = tuple[str, str, str, int, int]
"""A row of the standings: user, board, period, sort key, when it was reached."""

NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)
"""When all of this happens: a moment at which every zone below has the same date for hours."""

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo", "Africa/Lagos")
HISTORIES = 4000
BATCH = 5000
EVENTS_KEPT = 2
SESSIONS = 10_000
SEED = 20250602


@dataclass(frozen=True, slots=True)
class Community:
    """A database on disk, with what a client needs to call its server."""

    users: int
    database: Path

    @property
    def tokens_file(self) -> Path:
        """The session tokens of users drawn at random, one on each line."""
        return self.database.with_suffix(".tokens")

    @property
    def key(self) -> str:
        """The API key of its back end."""
        return self.database.with_suffix(".key").read_text("utf-8")

    def tokens(self) -> list[str]:
        """All tokens."""
        return self.tokens_file.read_text("utf-8").split()

    def copy_to(self, folder: Path) -> Path:
        """A copy of the database to write into."""
        target = folder / "copy.db"
        for suffix in ("", "-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.database, target)
        return target


def community(users: int) -> Community:
    """The community of this many users, from the cache or made now."""
    path = cache_folder() / f"community-{users}-{_fingerprint()}.db"
    if not path.exists():
        for old in cache_folder().glob(f"community-{users}-*"):
            old.unlink()
        unfinished = path.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        asyncio.run(_build(unfinished, Community(users, path)))
        unfinished.rename(path)
    return Community(users, path)


def _fingerprint() -> str:
    """Changes with all that decides what is in the file."""
    schema = resources.files("laurels.storage.sqlite").joinpath("migrations")
    parts = [entry.read_bytes() for entry in sorted(schema.iterdir(), key=lambda entry: entry.name)]
    parts += [resources.files("laurels.storage").joinpath("codec.py").read_bytes(), Path(__file__).read_bytes()]
    return hashlib.sha256(b"".join(parts) + Catalog.default().rules.encode()).hexdigest()[:12]


async def _build(path: Path, wanted: Community) -> None:
    rng = random.Random(SEED)
    catalog = Catalog.default()
    async with Laurels.open(f"sqlite:///{path}", catalog, clock=lambda: NOON) as laurels:
        histories = [_live(rng, catalog) for _ in track(range(HISTORIES), "histories")]
        ids = sorted(f"user-{rng.getrandbits(64):016x}" for _ in range(wanted.users))
        batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        standings: list[Standing] = []
        for batch in track(batches, f"{wanted.users:,} users"):
            changes = _changes(rng, batch, histories, catalog)
            standings += (line for user in changes.users for line in _standings(catalog, user))
            asked = LoadRequest(frozenset(), frozenset(), catalog.rules, ranks=False)
            await laurels.store.change(asked, lambda _found, changes=changes: changes)
        _fill_standings(path, standings)
        await laurels.store.rebuild_tallies()
        sessions = Sessions(laurels)
        drawn = rng.sample(ids, min(SESSIONS, len(ids)))
        tokens = [(await sessions.create(user_id, timedelta(days=30))).token for user_id in track(drawn, "sessions")]
        key = await create_key(laurels.store, "bench", NOON)
    _fill_sessions(path)
    wanted.tokens_file.write_text("\n".join(tokens) + "\n", "utf-8")
    wanted.database.with_suffix(".key").write_text(key, "utf-8")


def _fill_standings(path: Path, standings: list[Standing]) -> None:
    """All places at once: with `change`, the tallies of a million users would be counted up one by one."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(f"INSERT INTO standings ({PLACE}) VALUES (?, ?, ?, ?, ?)", standings)
        connection.commit()


def _fill_sessions(path: Path) -> None:
    """One more session for everybody, which nobody holds the token of: the table is as large as it would be."""
    with sqlite3.connect(path) as connection:
        expires = to_micros(NOON + timedelta(days=30))
        connection.execute(
            "INSERT INTO sessions (user_id, token_hash, created_at, expires_at) SELECT user_id, randomblob(32), ?, ? FROM users",
            (to_micros(NOON), expires),
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


# ---- histories --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class History:
    """What the engine made of one history: the rows of a user who has no id yet."""

    progress: Progress
    revision: int
    created_at: datetime
    outcomes: tuple[tuple[int, Event, Outcome], ...]
    newest: tuple[tuple[int, Event], ...]


def _live(rng: random.Random, catalog: Catalog) -> History:
    """One history, judged event by event, up to today's login."""
    zones = Zones(rng.choice(ZONES))
    events = sorted(_events(rng), key=lambda event: event.occurred_at or NOON)
    today = zones.day(NOON)
    progress = Progress(zones=zones, joined_at=events[0].occurred_at)
    outcomes: list[tuple[int, Event, Outcome]] = []
    dated: list[tuple[int, Event]] = []
    for revision, event in enumerate(events, start=1):
        assert event.occurred_at is not None
        event = replace(event, day=zones.day(event.occurred_at))  # noqa: PLW2901
        outcome = judge(catalog, progress, event, today)
        progress = outcome.progress
        dated.append((revision, event))
        if outcome.awards:
            outcomes.append((revision, event, outcome))
    created_at = events[0].occurred_at or NOON
    return History(progress, len(events), created_at, tuple(outcomes), tuple(dated[-EVENTS_KEPT:]))


def _events(rng: random.Random) -> Iterator[Event]:
    """What one person did: logins on most days, bursts of messages, a few agents, now and then a referral."""
    since = rng.randint(20, 200)
    habit = rng.choice((0.3, 0.6, 0.9, 0.98))
    for ago in range(since):
        if ago == 0 or rng.random() < habit:
            yield Event("", f"laurels:login:{ago}", "login", NOON - timedelta(days=ago, minutes=rng.randint(1, 200)))
    doings = (
        ("onboarding.completed", 0.8, 1, 1),
        ("agent.created", 0.7, rng.choice((1, 2, 4, 12)), 1),
        ("message.sent", 0.9, rng.randint(1, 30), rng.choice((3, 20, 80))),
        ("referral.completed", 0.2, rng.choice((1, 2, 6)), 1),
        ("beta.joined", 0.1, 1, 1),
    )
    for kind, share, times, most in doings:
        for index in range(times if rng.random() < share else 0):
            moment = NOON - timedelta(minutes=rng.randint(1, since * 1440))
            yield Event("", f"{kind}:{index}", kind, moment, rng.randint(1, most))


# ---- rows -------------------------------------------------------------------------------------


def _changes(rng: random.Random, user_ids: list[str], histories: list[History], catalog: Catalog) -> Changes:
    """Each user lived one of the histories, and earned its points a little earlier: few ties are exact ones."""
    changes, begun = Changes(), _begun(catalog)
    for user_id in user_ids:
        earlier = timedelta(microseconds=rng.randrange(10**12))
        _add_user(changes, user_id, rng.choice(histories), earlier, catalog, begun)
    return changes


def _begun(catalog: Catalog) -> datetime:
    """When the oldest period began in which points still count: what was earned before need not be looked at."""
    periods = [period for board in catalog.points_boards for period in open_periods(board, NOON)]
    return min((period.start or datetime.min.replace(tzinfo=UTC) for period in periods), default=NOON)


def _add_user(  # who, what they lived, and under which catalog
    changes: Changes, user_id: str, history: History, earlier: timedelta, catalog: Catalog, begun: datetime
) -> None:
    ledger: list[LedgerRow] = []
    for revision, event, outcome in history.outcomes:
        at = event.occurred_at or NOON
        changes.awards += [
            AwardRow(user_id, award.badge, revision, at, award.points, event.id) for award in outcome.awards
        ]
        for position, entry in enumerate(outcome.entries):
            what = (entry.amount, entry.reason, entry.ref, event.id)
            ledger.append(LedgerRow(user_id, revision, position, at, *what, at - earlier))
    changes.ledger += ledger
    progress = history.progress
    if progress.reached_at:
        counting = (row for row in ledger if row.counts_at and row.counts_at >= begun)
        scores = recounted(catalog, (), earned(counting), NOON)
        progress = replace(progress, reached_at=progress.reached_at - earlier, scores=scores)
    name = f"Name {user_id[-6:]}"
    changes.users.append(UserRow(user_id, name, history.created_at, history.revision, catalog.rules, progress))
    for revision, event in history.newest:
        at = event.occurred_at or NOON
        changes.events.append(EventRow(replace(event, user_id=user_id), at, at, revision))


def _standings(catalog: Catalog, user: UserRow) -> Iterator[Standing]:
    for (board, period), place in places_of(catalog, user, NOON).items():
        yield user.user_id, board, period, place.sort_key, place.reached_at
