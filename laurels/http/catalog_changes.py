"""/api/gamification/catalog/revisions and /plans: reading, planning and applying catalogs. API keys with `catalog:apply` only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from msgspec import UnsetType

from laurels.engine.catalog import Catalog
from laurels.errors import CatalogError, InvalidInput
from laurels.http.access import by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import Context, Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import in_path
from laurels.http.plan_streams import PlanStream, check_free
from laurels.http.problems import InvalidCatalog, NoSuchRevision, problem_of
from laurels.http.responses import NO_STORE, Headers, Response, encode
from laurels.http.sources import source_of
from laurels.present.base import as_whole
from laurels.present.catalog import AppliedCatalog, CatalogRevision, catalog_revision
from laurels.present.catalog_changes import (
    MOST_PERCENT,
    MOST_REVISIONS,
    ApplyIn,
    PlanIn,
    PlanMessage,
    RevisionList,
    revision_entry,
)
from laurels.present.plans import CatalogPlan
from laurels.service.admin import Admin
from laurels.service.planning import INFLATION, PlanOptions, begin_plan

CATALOG = "/api/gamification/catalog"
JSON_LINES = "application/jsonl"
LINES: Headers = [
    (b"content-type", JSON_LINES.encode()),
    NO_STORE,
    (b"x-accel-buffering", b"no"),
]

ENTRY_EXAMPLE = {
    "number": 2,
    "rules": "5f1c2ad0b7e94c11",
    "appliedAt": "2026-03-01T09:00:00Z",
    "appliedBy": "anna",
    "principal": {"kind": "key", "name": "my-app"},
    "reason": "badges are worth more",
    "silent": False,
    "filled": 240,
    "filledAt": "2026-03-01T09:00:02Z",
}
REVISION_EXAMPLE = {**ENTRY_EXAMPLE, "text": "name = 'mine'\n"}
PLAN_EXAMPLE = {
    "base": 1,
    "rules": "5f1c2ad0b7e94c11",
    "at": "2026-03-01T08:59:00Z",
    "differences": ["badges 'first_agent'.points: from 50 to 60"],
    "warnings": [],
    "basis": "progress",
    "users": 240,
    "affected": 0,
    "outdated": 0,
    "fromEvents": 0,
    "badges": [],
    "points": {"before": 12000, "after": 12000, "paid": 0, "taken": 0, "more": 0, "fewer": 0},
    "levels": {"higher": 0, "lower": 0, "users": [{"level": 1, "before": 240, "after": 240}]},
    "pay": [],
    "streaks": [],
    "leaderboards": [],
    "mostAffected": [],
    "seconds": 0.1,
    "applySeconds": 0.4,
    "silent": False,
    "token": "plan-WzEs.Xk3d",
}
TEXT = "name = 'mine'\n..."


@endpoint(
    "GET",
    CATALOG + "/revisions",
    access=by_key("catalog:apply"),
    operation=Operation("listCatalogRevisions", "List revisions of the catalog", "catalog"),
    result=Result(RevisionList, "All revisions, the oldest first", {"revisions": [ENTRY_EXAMPLE], "users": 240}),
)
async def get_revisions(request: Request[Key, None]) -> RevisionList:
    """Read who changed the catalog, when and why. The last revision is in force.

    `filled` and `filledAt` say how far bringing users under a planned revision is.
    """
    store = request.context.laurels.store
    rows = await store.catalog_revisions()
    return RevisionList(revisions=[revision_entry(row) for row in rows], users=(await store.counts()).users)


@endpoint(
    "GET",
    CATALOG + "/revisions/{number}",
    access=by_key("catalog:apply"),
    operation=Operation("getCatalogRevision", "Get a revision of the catalog", "catalog"),
    parameters=[in_path("number", "The number of the revision", "2", 10)],
    result=Result(CatalogRevision, "The revision", REVISION_EXAMPLE),
    problems=["revision-not-found"],
)
async def get_revision(request: Request[Key, None]) -> CatalogRevision:
    """Read a revision with its text."""
    number = request.path["number"]
    for row in await request.context.laurels.store.catalog_revisions():
        if str(row.number) == number:
            return catalog_revision(row)
    raise NoSuchRevision


@endpoint(
    "POST",
    CATALOG + "/plans",
    access=by_key("catalog:apply"),
    operation=Operation("planCatalog", "Plan a catalog", "catalog"),
    body=JsonBody([PlanIn], {"text": {"text": TEXT}, "rollback": {"revision": 1, "silent": True}}),
    result=Result(
        PlanMessage,
        "Lines of JSON: how far the plan is, about one a second, and at last the plan, or the problem that ended it",
        {"done": 240, "of": 240, "plan": PLAN_EXAMPLE},
        media_type=JSON_LINES,
    ),
    problems=["invalid-catalog"],
)
async def post_plan(request: Request[Key, PlanIn]) -> Response:
    """Say what applying a catalog would do over all users: who gains or loses what. Nothing is stored.

    All users are looked at, not a sample, which can take minutes. A process makes one plan at a time. Ending the
    connection ends the plan.
    """
    context, body = request.context, request.body
    check_free(context)
    inflation = (
        INFLATION if isinstance(body.inflation, UnsetType) else _whole("inflation", body.inflation, MOST_PERCENT)
    )
    catalog = await _catalog_in(context, body)
    stream = _PlanLines(context, LINES)
    options = PlanOptions(progress=stream.note, inflation=inflation, silent=body.silent)
    try:
        principal = source_of(request.scope, request.caller).principal
        stream.begun = await begin_plan(context.laurels.core, catalog, principal, options)
    except CatalogError as error:
        raise InvalidCatalog(error) from error
    stream.of = (await context.laurels.store.counts()).users
    return stream


@endpoint(
    "POST",
    CATALOG + "/revisions",
    access=by_key("catalog:apply"),
    operation=Operation("applyCatalog", "Apply a planned catalog", "catalog"),
    body=JsonBody(
        [ApplyIn],
        {
            "text": {"text": TEXT, "plan": "plan-WzEs.Xk3d", "reason": "badges are worth more"},
            "rollback": {"revision": 1, "plan": "plan-WzEs.Xk3d", "reason": "a mistake", "silent": True},
        },
    ),
    result=Result(AppliedCatalog, "The revision in force", {"revision": REVISION_EXAMPLE, "isNew": True, "moved": []}),
    problems=["invalid-catalog", "plan-outdated"],
)
async def post_revision(request: Request[Key, ApplyIn]) -> AppliedCatalog:
    """Put a catalog in force as it was planned, or go back to an earlier revision. Users are brought under it in the background.

    It is refused if the plan was of another catalog, of an earlier base, or for another `silent`. The same request again
    changes nothing.
    """
    body, admin = request.body, Admin(request.context.laurels, source_of(request.scope, request.caller))
    catalog, actor = await _catalog_in(request.context, body), body.actor or request.caller.name
    try:
        return await admin.apply_catalog(catalog, body.reason, actor, plan=body.plan, silent=body.silent)
    except CatalogError as error:
        raise InvalidCatalog(error) from error


async def _catalog_in(context: Context, body: PlanIn | ApplyIn) -> Catalog:
    """The catalog that a body names. Raises InvalidInput, InvalidCatalog."""
    text, revision = body.text, body.revision
    if isinstance(text, UnsetType) == isinstance(revision, UnsetType):
        raise InvalidInput("text", "send the text of a catalog, or the number of an earlier revision, and not both")
    try:
        if not isinstance(text, UnsetType):
            return await asyncio.to_thread(Catalog.parse, text)
        assert not isinstance(revision, UnsetType)
        return await Admin(context.laurels).catalog_of(_whole("revision", revision, MOST_REVISIONS))
    except CatalogError as error:
        raise InvalidCatalog(error) from error


def _whole(field: str, number: float, most: int) -> int:
    whole = as_whole(number)
    if not isinstance(whole, int) or not 1 <= whole <= most:
        raise InvalidInput(field, f"must be a whole number from 1 to {most}")
    return whole


class _PlanLines(PlanStream):
    """The lines of a plan that is being made."""

    def progress(self) -> Iterable[bytes]:
        """See PlanStream."""
        yield _line(PlanMessage(done=self.done, of=max(self.of, self.done)))

    def end(self, made: CatalogPlan | Exception) -> Iterable[bytes]:
        """See PlanStream."""
        if isinstance(made, Exception):
            yield _line(PlanMessage(done=self.done, of=max(self.of, self.done), problem=problem_of(made)))
        else:
            yield _line(PlanMessage(done=made.users, of=made.users, plan=made))


def _line(message: PlanMessage) -> bytes:
    return encode(message) + b"\n"


ENDPOINTS = (get_revisions, get_revision, post_revision, post_plan)
