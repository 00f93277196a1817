"""/console/audit: adjustments and everything else that was done, newest first, with who did it; filtered, and exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from laurels.console.guards import Shown, page, render
from laurels.console.session import ROOT
from laurels.engine.events import MAX_NAME, MAX_USER_ID, check_instant, check_text
from laurels.engine.values import plain
from laurels.errors import InvalidInput
from laurels.http.parameters import in_query
from laurels.http.problems import InvalidParameter
from laurels.http.requests import text_of
from laurels.http.responses import NO_STORE, PiecewiseResponse, Response, Scope
from laurels.present.audit import AuditEntry, AuditPosition, csv_head, csv_of, position_from
from laurels.service.audit import FILTER_KINDS, all_audit_entries, audit_entries
from laurels.storage.contract import AuditFilter

PATH = ROOT + "/audit"
PAGE_LENGTH = 50
MOST_EXPORTED = 100_000
"""The most entries of an export; dates select which."""

FILTERS = ("who", "kind", "user", "from", "to")
LONGEST_KIND = 50


@plain
class Requested:
    """The filter of an address: as it was typed, and what it means."""

    typed: Mapping[str, str]
    only: AuditFilter

    @property
    def query(self) -> str:
        """The filter for an address, with '&' at its end unless it is empty."""
        given = {name: value for name, value in self.typed.items() if value}
        return f"{urlencode(given)}&" if given else ""


@page(PATH, *map(in_query, (*FILTERS, "before")))
async def audit_page(request: Shown) -> Response:
    """Show the newest entries that match the filter."""
    visit = request.caller
    asked, before = _asked(visit.scope), _before(visit.scope)
    store = visit.context.laurels.store
    try:
        entries = await audit_entries(store, asked.only, PAGE_LENGTH, before)
    except InvalidInput as error:
        raise InvalidParameter(error.field, str(error)) from None
    last = entries[-1].position.text() if len(entries) == PAGE_LENGTH else ""
    return render(
        visit,
        "audit.html",
        entries=entries,
        asked=asked,
        kinds=FILTER_KINDS,
        older=f"{PATH}?{asked.query}{urlencode({'before': last})}" if last else "",
        newest=f"{PATH}?{asked.query}" if before else "",
        most=MOST_EXPORTED,
    )


@page(PATH + ".csv", *map(in_query, FILTERS))
async def audit_csv(request: Shown) -> Response:
    """Export the entries that match the filter as CSV."""
    return await _export(request, "text/csv; charset=utf-8", "csv", csv_head(), csv_of)


@page(PATH + ".jsonl", *map(in_query, FILTERS))
async def audit_jsonl(request: Shown) -> Response:
    """Export the entries that match the filter as JSON lines."""
    return await _export(request, "application/jsonl; charset=utf-8", "jsonl", "", _lines)


def _lines(entries: Sequence[AuditEntry]) -> str:
    return "".join(entry.to_json().decode() + "\n" for entry in entries)


async def _export(
    request: Shown, content_type: str, ending: str, head: str, write: Callable[[Sequence[AuditEntry]], str]
) -> Response:
    asked = _asked(request.scope)
    if asked.only.kind not in (None, *FILTER_KINDS):
        raise InvalidParameter("kind", "The address names no kind of entry.")
    pages = all_audit_entries(request.context.laurels.store, asked.only, MOST_EXPORTED)
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-disposition", f'attachment; filename="laurels-audit.{ending}"'.encode()),
        NO_STORE,
    ]
    return PiecewiseResponse(200, headers, head.encode(), (write(entries).encode() async for entries in pages))


def _asked(scope: Scope) -> Requested:
    """The filter in the address. Raises InvalidParameter."""
    typed = {name: (text_of(scope, name) or "").strip() for name in FILTERS}
    for name, longest in (("who", MAX_USER_ID), ("user", MAX_USER_ID), ("kind", LONGEST_KIND)):
        _check(name, typed[name], max(longest, MAX_NAME))
    since, until = _day(typed, "from"), _day(typed, "to")
    only = AuditFilter(
        typed["who"] or None,
        typed["kind"] or None,
        typed["user"] or None,
        since,
        until + timedelta(days=1) if until else None,
    )
    return Requested(typed, only)


def _check(name: str, text: str, longest: int) -> None:
    try:
        if text:
            check_text(name, text, longest)
    except InvalidInput as error:
        raise InvalidParameter(name, str(error)) from None


def _day(typed: Mapping[str, str], name: str) -> datetime | None:
    """The beginning of a day, in UTC. Raises InvalidParameter."""
    if not typed[name]:
        return None
    try:
        day = date.fromisoformat(typed[name])
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        check_instant(name, at)
    except (ValueError, InvalidInput):
        raise InvalidParameter(name, "must be a date such as 2026-03-01") from None
    return at


def _before(scope: Scope) -> AuditPosition | None:
    """The entry after which the page begins. Raises InvalidParameter."""
    text = text_of(scope, "before")
    try:
        return position_from(text) if text else None
    except InvalidInput as error:
        raise InvalidParameter("before", str(error)) from None


ENDPOINTS = (audit_page, audit_csv, audit_jsonl)
