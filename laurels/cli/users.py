"""`laurels user show` and `export`: a user's profile in the terminal, and everything about a user as JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from laurels.cli import OK
from laurels.cli.explain import streak_called
from laurels.cli.options import CatalogFile, Database, Json, settings_of
from laurels.cli.output import ago, counted, emit, note, when
from laurels.cli.tables import bar, cell, console, table
from laurels.engine.events import MAX_USER_ID, check_text
from laurels.errors import UserNotFound
from laurels.present.entitlements import Entitlement, unlocked_by
from laurels.present.history import HistoryEntry
from laurels.present.overviews import UserOverview
from laurels.present.streaks import UserStreak
from laurels.present.users import User
from laurels.service.admin import Admin
from laurels.service.opening import reading
from laurels.settings import Settings

WIDTH = 78
LEVEL_BAR = 40
BADGE_BAR = 16
RECENT = 8


class _Shown:
    """A user's overview, and the time at which it was read."""

    def __init__(self, overview: UserOverview, now: datetime) -> None:
        self.user = overview.user
        self.profile = overview.profile
        self.outdated = overview.outdated
        self.erase_at = overview.erase_at
        self.entitlements = overview.entitlements
        self.earned_at = {about.badge: about.earned_at for about in overview.explanations if about.earned_at}
        self.now = now


def show(
    user: Annotated[str, Parameter(help="the user's id")],
    /,
    *,
    database: Database = None,
    catalog: CatalogFile = None,
    json: Json = False,
) -> int:
    """Show a user's level, streaks, earned and next badges, and latest history. It changes nothing, and is not a login."""
    check_text("USER", user, MAX_USER_ID)
    shown = asyncio.run(_read(settings_of(database=database, catalog=catalog), user))
    if shown.outdated:
        note(
            "This profile was computed under an earlier revision of the catalog or before an amnesty. "
            "It is updated when a server next reads or writes the user."
        )
    if shown.erase_at:
        note(f"This user is hidden, and will be erased at {when(shown.erase_at)}.")
    if json:
        emit({"user": shown.user, "profile": shown.profile, "entitlements": shown.entitlements})
    else:
        _show(console(), shown)
    return OK


async def _read(settings: Settings, user_id: str) -> _Shown:
    async with reading(settings) as laurels:
        try:
            overview = await laurels.overview(user_id, refresh=False)
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user_id}'") from None
        return _Shown(overview, await laurels.now())


def export(
    user: Annotated[str, Parameter(help="the user's id")],
    /,
    *,
    database: Database = None,
    catalog: CatalogFile = None,
) -> int:
    """Print everything that is stored about a user, as one JSON document. It changes nothing."""
    check_text("USER", user, MAX_USER_ID)
    asyncio.run(_export(settings_of(database=database, catalog=catalog), user))
    return OK


async def _export(settings: Settings, user_id: str) -> None:
    async with reading(settings) as laurels:
        try:
            async for piece in Admin(laurels).export_user(user_id):
                sys.stdout.write(piece.decode())
        except UserNotFound:
            raise UserNotFound(f"there is no user '{user_id}'") from None
    sys.stdout.write("\n")


# ---- in the terminal --------------------------------------------------------------------------


def _show(to: Console, shown: _Shown) -> None:
    parts: list[Any] = [_level(shown), *(_streak(streak, shown) for streak in shown.profile.streaks)]
    parts += [_unlocked(shown.entitlements)] if shown.entitlements else []
    to.print(
        Panel(Group(*parts), title=_title(shown.user), title_align="left", padding=(1, 2), width=min(to.width, WIDTH))
    )
    for heading, body in (("Earned", _earned(shown)), ("Next", _next(shown)), ("Latest", _latest(shown))):
        if body.row_count:
            to.print(Text(f"\n{heading}", style="bold"))
            to.print(body)


def _title(user: User) -> Text:
    name = Text(user.name or "Anonymous", style="bold")
    return name + Text(f" · {user.user_id} · {user.time_zone}", style="dim")


def _level(shown: _Shown) -> Text:
    profile = shown.profile
    top = profile.points >= profile.next_level
    text = Text(f"Level {profile.level} · {profile.title}{', the highest' if top else ''}", style="bold yellow")
    if profile.rank and profile.rank.rank:
        text += Text(f"   rank {profile.rank.rank:,} of {profile.rank.ranked_users:,}", style="default not bold")
    goal = "points" if top else f"of {profile.next_level:,} points"
    to_spend = "" if profile.balance in (None, profile.points) else f", {profile.balance:,} to spend"
    return text + Text("\n") + bar(profile.progress / 100, LEVEL_BAR) + Text(f"  {profile.points:,} {goal}{to_spend}\n")


def _streak(streak: UserStreak, shown: _Shown) -> Text:
    """A streak as a line: its length, and when it ends."""
    if not streak.total_days:
        return Text(f"No {streak_called(streak)} yet", style="dim")
    text = Text(f"🔥 {streak.length}-{streak.unit} {streak_called(streak)}", style="bold" if streak.length else "dim")
    if streak.needed_days and streak.length:
        text += Text(f", {streak.done_days} of {streak.needed_days} days this {streak.unit}", style="not bold")
    if streak.status == "at_risk" and streak.ends_at:
        hours = max(1, round((streak.ends_at - shown.now).total_seconds() / 3600))
        text += Text(f", ends in {counted(hours, 'hour')}", style="red not bold")
    return text + Text(
        f" · longest {streak.longest} · {counted(streak.total_days, streak.unit)} in all", style="dim not bold"
    )


def _unlocked(entitlements: Sequence[Entitlement]) -> Text:
    """'Unlocked custom-avatar (level 3), dark-theme (bookworm)'."""
    parts = [f"{one.name} ({unlocked_by(one)})" for one in entitlements]
    return Text(f"🔓 Unlocked {', '.join(parts)}")


def _earned(shown: _Shown) -> Table:
    lines = table("", "", "", "", right=())
    lines.show_header = False
    for badge in shown.profile.badges:
        since = shown.earned_at.get(badge.id)
        lines.add_row(
            cell(badge.icon),
            Text(badge.name, style="bold"),
            Text(f"+{badge.points:,}", style="green"),
            Text(ago(since, shown.now) if since else "", style="dim"),
        )
    return lines


def _next(shown: _Shown) -> Table:
    """All badges not yet earned, nearest first; those that can no longer be earned come last."""
    near = shown.profile.next
    order = {badge.id: place for place, badge in enumerate(near)}
    lines = table("", "", "", "", "", right=())
    lines.show_header = False
    for badge in sorted(shown.profile.available_badges, key=lambda badge: order.get(badge.id, len(order))):
        step = near[order[badge.id]] if badge.id in order else None
        share = step.current / step.target if step else 0.0
        sentence = step.sentence.removesuffix(f" to earn {badge.name}.") if step else badge.condition
        lines.add_row(
            cell(badge.icon),
            cell(badge.name),
            Text(f"+{badge.points:,}", style="dim"),
            bar(share, BADGE_BAR, "cyan"),
            Text(sentence, style="dim" if step is None else ""),
        )
    return lines


def _latest(shown: _Shown) -> Table:
    lines = table("", "", "", right=())
    lines.show_header = False
    history = shown.profile.history
    for entry in history.entries[:RECENT] if history else []:
        at = entry.event.occurred_at if entry.event else entry.at
        lines.add_row(Text(ago(at, shown.now), style="dim"), _event(entry), _gains(entry, shown))
    return lines


def _event(entry: HistoryEntry) -> Text:
    if entry.adjustment:
        undone = " (undone)" if entry.adjustment.undone else ""
        return Text(f"{entry.adjustment.kind}{undone}: {entry.adjustment.reason}")
    if entry.event is None:
        return Text("profile changed")
    times = f" × {entry.event.quantity:,}" if entry.event.quantity > 1 else ""
    return Text(entry.event.type + times, style="strike" if entry.event.reversed else "")


def _gains(entry: HistoryEntry, shown: _Shown) -> Text:
    names = {badge.id: f"{badge.icon} {badge.name}" for badge in shown.profile.badges}
    amount = sum(change.amount for change in entry.points)
    gained = [f"{amount:+,}"] if amount else []
    gained += [names.get(award.badge, award.badge) for award in entry.awards]
    return Text("  ".join(gained), style="green")
