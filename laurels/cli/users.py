"""`laurels user show`: a user's living profile in the terminal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from laurels.cli import OK
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import ago, counted, emit, note
from laurels.cli.tables import bar, cell, console, table
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import UserNotFound
from laurels.present.shapes import HistoryEntry, NextBadge, Profile, User, UserStreak
from laurels.present.views import RANKED_IN_PROFILE
from laurels.service.laurels import Laurels
from laurels.service.opening import reading
from laurels.settings import Settings
from laurels.storage.contract import UserRow

WIDTH = 78
LEVEL_BAR = 40
BADGE_BAR = 16
RECENT = 8


@dataclass(frozen=True, slots=True)
class Living:
    """Everything about one user at one moment. `stale`: the profile was made under other rules, or before an amnesty."""

    user: User
    profile: Profile
    awarded_at: dict[str, datetime]
    now: datetime
    stale: bool


def show(
    user: Annotated[str, Parameter(help="the user's id")],
    /,
    *,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Show a user's level, streak, badges earned and to come, and what happened last. It changes nothing, and is no login."""
    check_text("USER", user, MAX_USER_ID)
    living = asyncio.run(_read(settings_of(database=database, catalog=catalog), user))
    if living.stale:
        note(
            "This profile was made under another catalog or before an amnesty; it is made anew at its user's next act."
        )
    if json:
        emit({"user": living.user, "profile": living.profile})
    else:
        _show(console(), living)
    return OK


async def _read(settings: Settings, user_id: str) -> Living:
    async with reading(settings) as laurels:
        now = await laurels.now()
        view = await laurels.store.profile_view(user_id, RANKED_IN_PROFILE)
        row, top = view.user, view.top
        if row is None:
            raise UserNotFound(f"nobody has the id '{user_id}'")
        profile = laurels.views.profile(row, top, now, None)
        more = await _more(laurels, row, now)
        return Living(
            user=laurels.views.user(row, now),
            profile=msgspec.structs.replace(profile, **more),
            awarded_at={award.badge: award.awarded_at for award in await laurels.store.awards(user_id)},
            now=now,
            stale=row.rules != laurels.catalog.rules or row.amnesties != view.amnesty_count,
        )


async def _more(laurels: Laurels, row: UserRow, now: datetime) -> dict[str, Any]:
    """What a profile can hold beyond the contract, under the names that `?include=` gives it."""
    return {
        "rank": await laurels.rank(row.user_id),
        "next": laurels.views.next_badges(row.progress, now, len(laurels.catalog.badges)),
        "streaks": laurels.views.streaks(row.progress, now),
        "history": await laurels.history(row.user_id),
    }


# ---- in the terminal --------------------------------------------------------------------------


def _show(to: Console, living: Living) -> None:
    parts: list[Any] = [_level(living), *(_streak(streak, living) for streak in _streaks(living.profile))]
    to.print(
        Panel(Group(*parts), title=_title(living.user), title_align="left", padding=(1, 2), width=min(to.width, WIDTH))
    )
    for heading, body in (("Earned", _earned(living)), ("To come", _to_come(living)), ("Lately", _lately(living))):
        if body.row_count:
            to.print(Text(f"\n{heading}", style="bold"))
            to.print(body)


def _title(user: User) -> Text:
    name = Text(user.name or "Anonymous", style="bold")
    return name + Text(f" · {user.user_id} · {user.time_zone}", style="dim")


def _level(living: Living) -> Text:
    profile = living.profile
    top = profile.points >= profile.next_level
    text = Text(f"Level {profile.level} · {profile.title}{', the highest' if top else ''}", style="bold yellow")
    if profile.rank and profile.rank.rank:
        text += Text(f"   rank {profile.rank.rank:,} of {profile.rank.ranked_users:,}", style="default not bold")
    goal = "points" if top else f"of {profile.next_level:,} points"
    return text + Text("\n") + bar(profile.progress / 100, LEVEL_BAR) + Text(f"  {profile.points:,} {goal}\n")


def _streaks(profile: Profile) -> list[UserStreak]:
    return profile.streaks or []


def _streak(streak: UserStreak, living: Living) -> Text:
    """A streak as a line: how long, and until when it stands."""
    if not streak.total_days:
        return Text(f"No {streak.name} streak yet", style="dim")
    text = Text(f"🔥 {streak.length}-day {streak.name} streak", style="bold" if streak.length else "dim")
    if streak.status == "at_risk" and streak.ends_at:
        hours = max(1, round((streak.ends_at - living.now).total_seconds() / 3600))
        text += Text(f", ends in {counted(hours, 'hour')}", style="red not bold")
    return text + Text(
        f" · longest {streak.longest} · {counted(streak.total_days, 'day')} in all", style="dim not bold"
    )


def _earned(living: Living) -> Table:
    shown = table("", "", "", "", right=())
    shown.show_header = False
    for badge in living.profile.badges:
        since = living.awarded_at.get(badge.id)
        shown.add_row(
            cell(badge.icon),
            Text(badge.name, style="bold"),
            Text(f"+{badge.points:,}", style="green"),
            Text(ago(since, living.now) if since else "", style="dim"),
        )
    return shown


def _to_come(living: Living) -> Table:
    """All badges not yet earned, the nearest first; those that nothing can bring nearer stand last."""
    near: list[NextBadge] = living.profile.next or []
    order = {badge.id: place for place, badge in enumerate(near)}
    shown = table("", "", "", "", "", right=())
    shown.show_header = False
    for badge in sorted(living.profile.available_badges, key=lambda badge: order.get(badge.id, len(order))):
        step = near[order[badge.id]] if badge.id in order else None
        share = step.current / step.target if step else 0.0
        sentence = step.sentence.removesuffix(f" to earn {badge.name}.") if step else badge.condition
        shown.add_row(
            cell(badge.icon),
            cell(badge.name),
            Text(f"+{badge.points:,}", style="dim"),
            bar(share, BADGE_BAR, "cyan"),
            Text(sentence, style="dim" if step is None else ""),
        )
    return shown


def _lately(living: Living) -> Table:
    shown = table("", "", "", right=())
    shown.show_header = False
    history = living.profile.history
    for entry in history.entries[:RECENT] if history else []:
        at = entry.event.occurred_at if entry.event else entry.at
        shown.add_row(Text(ago(at, living.now), style="dim"), _event(entry), _gains(entry, living))
    return shown


def _event(entry: HistoryEntry) -> Text:
    if entry.act:
        undone = " (undone)" if entry.act.undone else ""
        return Text(f"{entry.act.kind}{undone}: {entry.act.reason}")
    if entry.event is None:
        return Text("profile changed")
    times = f" × {entry.event.quantity:,}" if entry.event.quantity > 1 else ""
    return Text(entry.event.type + times, style="strike" if entry.event.reversed else "")


def _gains(entry: HistoryEntry, living: Living) -> Text:
    names = {badge.id: f"{badge.icon} {badge.name}" for badge in living.profile.badges}
    amount = sum(change.amount for change in entry.points)
    gained = [f"{amount:+,}"] if amount else []
    gained += [names.get(award.badge, award.badge) for award in entry.awards]
    return Text("  ".join(gained), style="green")
