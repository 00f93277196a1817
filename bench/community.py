"""A realistic community of any size: users with badges, points, streaks and places on leaderboards, made fast.

The engine computes a few thousand histories event by event. Each user is a copy of one of them, with a new id and slightly
earlier points, and is saved by the store's own `change`; scores and places come from the product's own code, and the tallies
are counted at the end. So a million users take minutes, not hours. Only the newest few events of each history are stored: no
read of a profile or a leaderboard needs the others.

The time is always NOON, so that "today" is the same in every run. The community is built once, stored in the cache folder, and
built again when the schema, the catalog, the packing or this file changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
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
from laurels.storage.sqlite import driver

Standing = tuple[str, str, str, int, int]
"""A row of the standings: user, board, period, sort key, when it was reached."""

NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)
"""The time of the community: every zone below has the same date for hours around it."""

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo", "Africa/Lagos")
HISTORIES = 4000
BATCH = 5000
EVENTS_STORED = 2
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
    """The community of this many users, from the cache or built now."""
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
    """A hash of everything that decides the content of the file."""
    schema = resources.files("laurels.storage.sqlite").joinpath("migrations")
    parts = [entry.read_bytes() for entry in sorted(schema.iterdir(), key=lambda entry: entry.name)]
    parts += [resources.files("laurels.storage").joinpath("codec.py").read_bytes(), Path(__file__).read_bytes()]
    return hashlib.sha256(b"".join(parts) + Catalog.default().rules.encode()).hexdigest()[:12]


async def _build(path: Path, target: Community) -> None:
    rng = random.Random(SEED)
    catalog = Catalog.default()
    async with Laurels.open(f"sqlite:///{path}", catalog, clock=lambda: NOON) as laurels:
        histories = [_live(rng, catalog) for _ in track(range(HISTORIES), "histories")]
        ids = sorted(f"user-{rng.getrandbits(64):016x}" for _ in range(target.users))
        batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        standings: list[Standing] = []
        for batch in track(batches, f"{target.users:,} users"):
            changes = _changes(rng, batch, histories, catalog)
            standings += (line for user in changes.users for line in _standings(catalog, user))
            request = LoadRequest(frozenset(), frozenset(), catalog.rules, ranks=False)
            await laurels.store.change(request, lambda _found, changes=changes: changes)
        _fill_standings(path, standings)
        await laurels.store.rebuild_tallies()
        sessions = Sessions(laurels)
        drawn = rng.sample(ids, min(SESSIONS, len(ids)))
        tokens = [(await sessions.create(user_id, timedelta(days=30))).token for user_id in track(drawn, "sessions")]
        key = await create_key(laurels.store, "bench", NOON)
    _fill_sessions(path)
    target.tokens_file.write_text("\n".join(tokens) + "\n", "utf-8")
    target.database.with_suffix(".key").write_text(key, "utf-8")


def _fill_standings(path: Path, standings: list[Standing]) -> None:
    """Insert all places at once: `change` would update the tallies for each of a million users."""
    with closing(driver.connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO standings ({PLACE}) VALUES (?, ?, ?, ?, ?)", standings)
        connection.execute("COMMIT")


def _fill_sessions(path: Path) -> None:
    """Add a session with an unknown token for every user, so that the table has a realistic size."""
    with closing(driver.connect(path)) as connection:
        expires = to_micros(NOON + timedelta(days=30))
        connection.execute(
            "INSERT INTO sessions (user_id, token_hash, created_at, expires_at) SELECT user_id, randomblob(32), ?, ? FROM users",
            (to_micros(NOON), expires),
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# ---- histories --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class History:
    """The result of one history: the rows of a user without an id."""

    progress: Progress
    revision: int
    created_at: datetime
    outcomes: tuple[tuple[int, Event, Outcome], ...]
    newest: tuple[tuple[int, Event], ...]


def _live(rng: random.Random, catalog: Catalog) -> History:
    """Compute one history event by event, up to today's login."""
    zones = Zones(rng.choice(ZONES))
    events = sorted(_events(rng), key=lambda event: event.occurred_at or NOON)
    today = zones.day(NOON)
    progress = Progress(zones=zones, joined_at=events[0].occurred_at, board_days={})
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
    return History(progress, len(events), created_at, tuple(outcomes), tuple(dated[-EVENTS_STORED:]))


def _events(rng: random.Random) -> Iterator[Event]:
    """The events of one user: logins on most days, bursts of messages, a few agents, sometimes a referral."""
    since = rng.randint(20, 200)
    habit = rng.choice((0.3, 0.6, 0.9, 0.98))
    for ago in range(since):
        if ago == 0 or rng.random() < habit:
            yield Event("", f"laurels:login:{ago}", "login", NOON - timedelta(days=ago, minutes=rng.randint(1, 200)))
    activities = (
        ("onboarding.completed", 0.8, 1, 1),
        ("agent.created", 0.7, rng.choice((1, 2, 4, 12)), 1),
        ("message.sent", 0.9, rng.randint(1, 30), rng.choice((3, 20, 80))),
        ("referral.completed", 0.2, rng.choice((1, 2, 6)), 1),
        ("beta.joined", 0.1, 1, 1),
    )
    for kind, share, times, most in activities:
        for index in range(times if rng.random() < share else 0):
            at = NOON - timedelta(minutes=rng.randint(1, since * 1440))
            yield Event("", f"{kind}:{index}", kind, at, rng.randint(1, most))


# ---- rows -------------------------------------------------------------------------------------


def _changes(rng: random.Random, user_ids: list[str], histories: list[History], catalog: Catalog) -> Changes:
    """Give each user one of the histories, with its points a little earlier, so that few ties are exact."""
    changes, begun = Changes(), _begun(catalog)
    for user_id in user_ids:
        earlier = timedelta(microseconds=rng.randrange(10**12))
        _add_user(changes, user_id, rng.choice(histories), earlier, catalog, begun)
    return changes


def _begun(catalog: Catalog) -> datetime:
    """The start of the oldest open period: earlier points count in none."""
    periods = [period for board in catalog.points_boards for period in open_periods(board, NOON)]
    return min((period.start or datetime.min.replace(tzinfo=UTC) for period in periods), default=NOON)


def _add_user(  # all that a user is made from
    changes: Changes, user_id: str, history: History, earlier: timedelta, catalog: Catalog, begun: datetime
) -> None:
    ledger: list[LedgerRow] = []
    for revision, event, outcome in history.outcomes:
        at = event.occurred_at or NOON
        changes.awards += [
            AwardRow(user_id, award.badge, revision, at, award.points, event.id) for award in outcome.awards
        ]
        for position, entry in enumerate(outcome.entries):
            source = (entry.amount, entry.reason, entry.ref, event.id)
            ledger.append(LedgerRow(user_id, revision, position, at, *source, at - earlier))
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
