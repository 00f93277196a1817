"""/api/gamification/catalog/revisions and /plans: reading, planning and applying catalogs. API keys with `catalog:apply` only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import UnsetType

from laurels.engine.catalog import Catalog
from laurels.errors import CatalogError, InvalidInput, LaurelsError, Overloaded
from laurels.http.access import by_key
from laurels.http.bodies import JsonBody
from laurels.http.context import Context, Key
from laurels.http.endpoint import Operation, Request, Result, endpoint
from laurels.http.parameters import in_path
from laurels.http.problems import InvalidCatalog, NoSuchRevision, problem_of
from laurels.http.responses import END, NO_STORE, Headers, Receive, Response, Scope, Send, encode
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
from laurels.service.admin import Admin
from laurels.service.planning import INFLATION, BegunPlan, PlanOptions, begin_plan

log = logging.getLogger(__name__)

CATALOG = "/api/gamification/catalog"
PROGRESS_SECONDS = 1.0
"""How often a plan says how far it is."""

RETRY_SECONDS = 10
"""When to try again while this process makes another plan."""

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
    "levels": {"higher": 0, "lower": 0},
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
    if context.plans.locked():
        raise Overloaded("another plan is being made; try again when it is done", RETRY_SECONDS)
    inflation = (
        INFLATION if isinstance(body.inflation, UnsetType) else _whole("inflation", body.inflation, MOST_PERCENT)
    )
    catalog = await _catalog_in(context, body)
    stream = _PlanStream(context)
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


class _PlanStream(Response):
    """The lines of a plan that is being made."""

    __slots__ = ("_context", "begun", "done", "of")

    begun: BegunPlan

    def __init__(self, context: Context) -> None:
        super().__init__(200, LINES)
        self._context = context
        self.done = self.of = 0

    def note(self, done: int) -> None:
        """Remember how many users are done."""
        self.done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send lines until the plan is made, the client is gone, or the server stops."""
        async with self._context.plans:
            making = asyncio.create_task(self._made())
            scope.get("state", {})[END] = making.cancel
            async with _ended_with(receive, making):
                await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers]})
                while not (await asyncio.wait([making], timeout=PROGRESS_SECONDS))[0]:
                    await self._send(send, PlanMessage(done=self.done, of=max(self.of, self.done)))
                if not making.cancelled():
                    await self._send(send, making.result())
                await send({"type": "http.response.body", "body": b""})

    async def _made(self) -> PlanMessage:
        """The last line."""
        try:
            plan = await self.begun.finish()
        except LaurelsError as error:
            return PlanMessage(done=self.done, of=max(self.of, self.done), problem=problem_of(error))
        except Exception as error:
            log.exception("a plan of a catalog failed")
            return PlanMessage(done=self.done, of=max(self.of, self.done), problem=problem_of(error))
        return PlanMessage(done=plan.users, of=plan.users, plan=plan)

    async def _send(self, send: Send, message: PlanMessage) -> None:
        await send({"type": "http.response.body", "body": encode(message) + b"\n", "more_body": True})


@asynccontextmanager
async def _ended_with(receive: Receive, making: asyncio.Task[PlanMessage]) -> AsyncIterator[None]:
    """Meanwhile, end the plan when the client disconnects; afterwards, in any case."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        making.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        making.cancel()
        await asyncio.gather(watcher, making, return_exceptions=True)


ENDPOINTS = (get_revisions, get_revision, post_revision, post_plan)
