"""The catalog that an operator edits, plans and applies: a text in their form, or the number of an earlier revision.

Nothing of it is stored on the server: each form has the whole text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from laurels.console.guards import Form, field_of, render
from laurels.console.places import line_of
from laurels.console.revisions import in_words
from laurels.console.session import ROOT, Visit
from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.values import plain
from laurels.errors import CatalogError, Fault, InvalidInput
from laurels.http.problems import kind_of
from laurels.http.responses import Response
from laurels.service.admin import Admin
from laurels.service.revisions import parsed

EDIT = ROOT + "/catalog/edit"
MOST_TEXT = 200_000
"""The longest text of a catalog in a form, in characters. Reading it takes about a tenth of a second."""

FORM_LIMIT = 1024 * 1024
"""The largest form with a catalog, in bytes: a form may need several bytes for a character."""

MOST_NUMBER = 10
"""The most digits of the number of a revision."""

MOST_FAULTS = 100
"""How many faults are listed."""


@plain
class Candidate:
    """What may follow the catalog in force: `text`, or going back to the revision of this number (0: none).

    base    the revision from which the operator began to edit; 0 if the database had none
    silent  users are not notified of what they get or lose by it
    """

    text: str
    revision: int
    base: int
    silent: bool


@plain
class PlacedFault:
    """A fault of the text, with its line, from 1 on; 0 if it has none."""

    line: int
    fault: Fault


@plain
class Checked:
    """What a check of a text says: its faults, or how the catalog differs from the one in force."""

    faults: Sequence[PlacedFault]
    different: Sequence[str]
    unlisted: int = 0


NOT_CHECKED: Checked | None = None


def candidate_of(typed: Form) -> Candidate:
    """What a form has. Raises InvalidInput for a number that is none."""
    return Candidate(
        text=unix_lines(typed.get("text", "")),
        revision=_number("revision", typed.get("revision", "")),
        base=_number("base", typed.get("base", "")),
        silent=typed.get("silent") == "yes",
    )


def unix_lines(text: str) -> str:
    """A text as browsers were given it: they send each line break as two characters."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _number(name: str, text: str) -> int:
    if text and not (text.isascii() and text.isdecimal() and len(text) <= MOST_NUMBER):
        raise InvalidInput(name, "must be the number of a revision")
    return int(text or 0)


async def catalog_in(visit: Visit, candidate: Candidate) -> Catalog:
    """The catalog of a candidate. Raises InvalidInput, CatalogError."""
    if candidate.revision:
        return await Admin(visit.context.laurels).catalog_of(candidate.revision)
    if not candidate.text.strip():
        raise InvalidInput("text", "is empty: paste a catalog, or begin from the one in force")
    if len(candidate.text) > MOST_TEXT:
        raise InvalidInput(
            "text",
            f"has {len(candidate.text):,} characters, and the console takes {MOST_TEXT:,}: use 'laurels catalog plan FILE'",
        )
    return await asyncio.to_thread(Catalog.parse, candidate.text)


async def checked(visit: Visit, candidate: Candidate) -> Checked:
    """What a check of a text says. Raises InvalidInput."""
    try:
        catalog = await catalog_in(visit, candidate)
    except CatalogError as error:
        return refused(candidate.text, error)
    await visit.context.laurels.follow_catalog()
    return Checked([], differences(visit.context.laurels.rules.catalog, catalog))


def refused(text: str, error: CatalogError) -> Checked:
    """The faults of a text, those of earlier lines first."""
    faults = error.faults[:MOST_FAULTS]
    placed = [PlacedFault(line_of(fault.where, fault.what, text), fault) for fault in faults]
    placed.sort(key=lambda one: one.line)
    return Checked(placed, [], len(error.faults) - len(faults))


async def edit_page(
    visit: Visit,
    candidate: Candidate,
    result: Checked | None = NOT_CHECKED,
    error: InvalidInput | None = None,
    change: Sequence[str] = (),
) -> Response:
    """The editor with a candidate, and what a check of it says. `change` says what a form changed in the text."""
    is_wrong = error is not None or (result is not None and bool(result.faults))
    return render(
        visit,
        "edit.html",
        status=kind_of(error).status if error else 422 if is_wrong else 200,
        candidate=candidate,
        result=result,
        error=error,
        wrong=field_of(error, ["text"]),
        change=change,
        moved=await moved_base(visit, candidate),
        most=MOST_TEXT,
    )


async def moved_base(visit: Visit, candidate: Candidate) -> tuple[int, Sequence[str] | None] | None:
    """The revision in force and what it and those before it changed, if it is not the one from which the text was edited."""
    rows = await visit.context.laurels.store.catalog_revisions()
    if candidate.revision or not rows or rows[-1].number == candidate.base:
        return None
    base = next((row for row in rows if row.number == candidate.base), None)
    return rows[-1].number, in_words(base, rows[-1]) if base else None


async def begun(visit: Visit, number: int | None) -> Candidate:
    """A candidate to begin from: the catalog in force, or an earlier revision's. Raises InvalidInput, CatalogError."""
    laurels = visit.context.laurels
    await laurels.follow_catalog()
    rows = await laurels.store.catalog_revisions()
    base = rows[-1].number if rows else 0
    if number is None:
        return Candidate(rows[-1].text if rows else laurels.catalog.text, 0, base, silent=False)
    row = next((one for one in rows if one.number == number), None)
    if row is None:
        raise InvalidInput("revision", f"there is no revision {number}")
    parsed(row)
    return Candidate(row.text, 0, base, silent=False)
