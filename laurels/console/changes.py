"""/console/catalog/change: forms for the usual changes of a catalog. They change the text in the editor; nothing is applied."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from laurels.console.candidates import (
    FORM_LIMIT,
    Candidate,
    candidate_of,
    catalog_in,
    checked,
    edit_page,
    refused,
)
from laurels.console.guards import Form, Sent, field_of, form, render
from laurels.console.places import Path
from laurels.console.session import ROOT, Visit
from laurels.console.text_changes import Target, target_of, targets, with_badge, with_number_in_text, with_values
from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.values import plain
from laurels.errors import CatalogError, InvalidInput
from laurels.http.problems import NoSuchPage, kind_of
from laurels.http.responses import Response

PATH = ROOT + "/catalog/change"
KINDS: Mapping[str, str] = {
    "points": "Change points",
    "threshold": "Change a threshold",
    "text": "Change a text",
    "badge": "Add a badge",
}
"""Each form, and what its button says."""

MAX_DIGITS = 15
PAST = ("", "keep", "recompute")
HOLDERS = ("", "keep", "lose")
BADGE_FIELDS = ("id", "name", "description", "icon", "category", "points", "condition", "metric", "at_least")


@plain
class ChangeForm:
    """A form of one kind over a candidate: what was typed, what it may change, and what it changes once that is chosen."""

    kind: str
    candidate: Candidate
    catalog: Catalog
    typed: Form
    target: Target | None = None


@form(PATH, role="editor", limit=FORM_LIMIT)
async def change_catalog(request: Sent) -> Response:
    """Show a form of a usual change, or make the change in the text, and show the editor with it."""
    visit, typed = request.caller, request.body
    candidate, kind = candidate_of(typed), typed.get("kind", "")
    if kind not in KINDS:
        raise NoSuchPage("The form names no change of a catalog.")
    try:
        catalog = await catalog_in(visit, candidate)
    except CatalogError as error:
        return await edit_page(visit, candidate, refused(candidate.text, error))
    except InvalidInput as error:
        return await edit_page(visit, candidate, error=error)
    shown = ChangeForm(kind, candidate, catalog, typed)
    if kind == "badge":
        return await _change(visit, shown) if "id" in typed else _show(visit, shown)
    if "target" not in typed:
        return _show(visit, shown)
    try:
        chosen = replace(shown, target=target_of(candidate.text, kind, typed["target"]))
    except InvalidInput as error:
        return _show(visit, shown, error)
    return await _change(visit, chosen) if "value" in typed else _show(visit, chosen)


async def _change(visit: Visit, shown: ChangeForm) -> Response:
    """The editor with the changed text; the form again if what was typed cannot be."""
    try:
        text = await asyncio.to_thread(_changed, shown)
        following = await asyncio.to_thread(Catalog.parse, text)
    except InvalidInput as error:
        return _show(visit, shown, error)
    except CatalogError as error:
        return _show(visit, shown, InvalidInput("change", "; ".join(map(str, error.faults[:3]))))
    changed = replace(shown.candidate, text=text)
    change = differences(shown.catalog, following)
    return await edit_page(visit, changed, await checked(visit, changed), change=change or ["Nothing changed."])


def _changed(shown: ChangeForm) -> str:
    """The changed text. Raises InvalidInput."""
    text, typed, target = shown.candidate.text, shown.typed, shown.target
    if target is None:
        return with_badge(text, _badge(typed))
    if shown.kind == "text":
        return with_values(text, {target.path: _text("value", typed)})
    values: dict[Path, str | int] = {target.path: _number("value", typed)}
    entry = target.path[:2]
    if shown.kind == "points" and _choice("past", typed, PAST):
        values[*entry, "past"] = typed["past"]
    if shown.kind == "threshold" and entry[0] == "badges":
        if _choice("holders", typed, HOLDERS):
            values[*entry, "holders"] = typed["holders"]
        if typed.get("texts") == "yes":
            values |= _texts_with(text, target, values[target.path])
    return with_values(text, values)


def _texts_with(text: str, target: Target, number: str | int) -> dict[Path, str | int]:
    """The texts of a badge in which the number of its condition is, with the new number."""
    found: dict[Path, str | int] = {}
    for one in targets(text, "text"):
        if one.path[:2] == target.path[:2] and one.path[2] in ("condition", "description"):
            new = with_number_in_text(str(one.value), int(target.value), int(number))
            found |= {one.path: new} if new != one.value else {}
    return found


def _badge(typed: Form) -> dict[str, Any]:
    """A new badge, as a table of the catalog. Raises InvalidInput."""
    texts = {name: _text(name, typed) for name in ("id", "name", "description", "icon", "category")}
    when = {"metric": _text("metric", typed), "at_least": _number("at_least", typed)}
    return {**texts, "points": _number("points", typed), "condition": _text("condition", typed), "when": when}


def _text(name: str, typed: Form) -> str:
    text = typed.get(name, "").strip()
    if not text:
        raise InvalidInput(name, "must not be empty")
    return text


def _number(name: str, typed: Form) -> int:
    text = typed.get(name, "").strip().replace(",", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise InvalidInput(name, "must be a whole number of 0 or more")
    return int(text)


def _choice(name: str, typed: Form, known: tuple[str, ...]) -> str:
    value = typed.get(name, "")
    if value not in known:
        raise InvalidInput(name, f"must be one of {', '.join(one for one in known if one)}")
    return value


def _show(visit: Visit, shown: ChangeForm, error: InvalidInput | None = None) -> Response:
    catalog, is_badge = shown.catalog, shown.kind == "badge"
    return render(
        visit,
        "change.html",
        status=kind_of(error).status if error else 200,
        form=shown,
        title=KINDS[shown.kind],
        candidate=shown.candidate,
        targets=() if is_badge or shown.target else targets(shown.candidate.text, shown.kind),
        # A metric that goes up and down, or ends at a least value, is not for badges that ask for at least a number.
        metrics=[one for one in catalog.metrics.values() if one.kind not in ("last", "min")] if is_badge else (),
        categories=catalog.categories.values(),
        error=error,
        wrong=field_of(error, ["target", "value", "past", "holders", *BADGE_FIELDS]),
    )


ENDPOINTS = (change_catalog,)
