"""/console/catalog/plan and /plan.csv: what putting a catalog in force would do over all users, before it is applied.

A plan is sent while it is made: the frame of the page at once, how far it is each second, and the plan at last. So a plan ends
with the connection, needs no script, and nothing of it is stored on the server.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from laurels.console.candidates import (
    FORM_LIMIT,
    Candidate,
    begun,
    candidate_of,
    catalog_in,
    edit_page,
    moved_base,
    refused,
)
from laurels.console.charts import Series, opposite, pairs
from laurels.console.guards import INTERNAL, Sent, form, fragment, problem_in_words, render
from laurels.console.overview import Chart
from laurels.console.session import ROOT, Visit
from laurels.engine.catalog import Catalog
from laurels.engine.plans import changed_conditions
from laurels.engine.warnings import warnings
from laurels.errors import CatalogError, InvalidInput
from laurels.http.plan_streams import PlanStream, check_free
from laurels.http.responses import HTML, NO_STORE, Headers, Receive, Response, Scope, Send
from laurels.present.audit import csv_cell
from laurels.present.plans import CHANGE_COLUMNS, CatalogPlan, PlannedUser, change_rows
from laurels.service.planning import BegunPlan, PlanOptions, begin_plan
from laurels.site.html import PRIVATE, policy

PATH = ROOT + "/catalog/plan"
MARK = "<!-- the plan -->"
"""Where the plan is put into its page."""

IN_MEMORY = 1024 * 1024
PIECE = 64 * 1024
"""How much of a list is held in memory before it is written to a file, and how much of it is sent at once, in bytes."""

MOST_BADGES, MOST_LEVELS = 15, 25
"""How many badges and levels are drawn; the tables have all badges."""

BASES: Mapping[str, str] = {
    "nothing": "No rule changes, so that no user had to be computed",
    "progress": "Computed from the stored progress of users, which suffices",
    "events": "Computed from the events of users",
}


@form(PATH, role="editor", limit=FORM_LIMIT)
async def plan_page(request: Sent) -> Response:
    """Plan a catalog, or going back to an earlier revision. Stores nothing."""
    visit, candidate = request.caller, candidate_of(request.body)
    check_free(visit.context)
    stream = PlanPage(visit, candidate, await moved_base(visit, candidate))
    return await _begun(visit, candidate, stream, PlanOptions(progress=stream.note, silent=candidate.silent))


@form(PATH + ".csv", role="editor", limit=FORM_LIMIT)
async def plan_csv(request: Sent) -> Response:
    """Make the plan again, and send every change of every user as CSV."""
    visit, candidate = request.caller, candidate_of(request.body)
    check_free(visit.context)
    stream = PlanRows(visit)
    return await _begun(visit, candidate, stream, PlanOptions(each=stream.add, silent=candidate.silent))


async def _begun(visit: Visit, candidate: Candidate, stream: PlanStream, options: PlanOptions) -> Response:
    """The stream of a plan that has begun; the editor if there is nothing to plan."""
    laurels = visit.context.laurels
    try:
        stream.begun = await begin_plan(laurels.core, await catalog_in(visit, candidate), visit.principal, options)
    except CatalogError as error:
        # What an earlier revision lacks, such as a badge that users have by now, is written into its text.
        typed = await begun(visit, candidate.revision) if candidate.revision else candidate
        return await edit_page(visit, typed, refused(typed.text, error))
    except InvalidInput as error:
        if candidate.revision:
            raise
        return await edit_page(visit, candidate, error=error)
    stream.of = (await laurels.store.counts()).users
    return stream


class PlanPage(PlanStream):
    """The page of a plan, while it is made."""

    def __init__(self, visit: Visit, candidate: Candidate, moved: Any) -> None:
        headers: Headers = [HTML, (b"content-security-policy", policy()), *PRIVATE, (b"x-accel-buffering", b"no")]
        super().__init__(visit.context, headers)
        self._visit, self._candidate = visit, candidate
        frame = render(visit, "plan.html", candidate=candidate, moved=moved, mark=MARK).body
        self._before, _, self._after = frame.partition(MARK.encode())

    def beginning(self) -> Iterable[bytes]:
        """See PlanStream."""
        yield self._before

    def progress(self) -> Iterable[bytes]:
        """See PlanStream. The style shows the last one only."""
        yield fragment(self._visit, "planning.html", done=self.done, of=max(self.of, self.done, 1)).encode()

    def end(self, made: CatalogPlan | Exception) -> Iterable[bytes]:
        """See PlanStream."""
        if isinstance(made, Exception):
            status, title, fix = problem_in_words(made)
            detail = "" if status == INTERNAL else str(made)
            shown = fragment(
                self._visit, "no_plan.html", candidate=self._candidate, title=title, detail=detail, fix=fix
            )
        else:
            shown = fragment(self._visit, "plan_made.html", candidate=self._candidate, **shown_of(self.begun, made))
        yield shown.encode()
        yield self._after


def shown_of(begun: BegunPlan, made: CatalogPlan) -> dict[str, Any]:
    """What the page of a plan shows of it."""
    planned = begun.planned
    about_rules = set(warnings(planned.present, begun.catalog, planned.at.toordinal()))
    changed = changed_conditions(planned.present, planned.following)
    return {
        "plan": made,
        "about_users": [one for one in made.warnings if one not in about_rules],
        "about_rules": [one for one in made.warnings if one in about_rules],
        "holders": [(badge.id, badge.holders) for badge in changed],
        "basis": BASES[made.basis],
        "pictures": list(pictures(made, planned.following)),
    }


def pictures(made: CatalogPlan, following: Catalog) -> Iterator[Chart]:
    """Who gains and loses each badge, and how many users are on each level, where that changes."""
    moving = [one for one in made.badges if one.gained or one.lost]
    moving = sorted(moving, key=lambda one: -(one.gained + one.lost))[:MOST_BADGES]
    if moving:
        names = {badge.id: badge.name for badge in following.badges}
        labels = [names.get(one.badge, one.badge) for one in moving]
        series = [Series("gain", [one.gained for one in moving]), Series("lose", [one.lost for one in moving])]
        drawn = opposite(labels, series[0].values, series[1].values)
        yield Chart("drawn-badges", "Badges", "Users who gain and lose each badge.", drawn, labels, series, "Badge")
    levels = made.levels
    if levels.higher or levels.lower:
        rows = levels.users[:MOST_LEVELS]
        titles = {level.number: level.title for level in following.levels.all}
        labels = [f"{one.level} {titles.get(one.level, '')}".strip() for one in rows]
        series = [Series("before", [one.before for one in rows]), Series("after", [one.after for one in rows])]
        drawn = pairs(labels, series[0].values, series[1].values)
        yield Chart("drawn-levels", "Levels", "Users on each level, before and after.", drawn, labels, series, "Level")


class PlanRows(PlanStream):
    """Every change of every user, as CSV. What the client has not read yet is in a file, which no one else can open."""

    _file: IO[bytes]

    def __init__(self, visit: Visit) -> None:
        disposition = (b"content-disposition", b'attachment; filename="laurels-plan.csv"')
        super().__init__(visit.context, [(b"content-type", b"text/csv; charset=utf-8"), disposition, NO_STORE])
        self._sent = self._written = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See PlanStream."""
        with SpooledTemporaryFile[bytes](IN_MEMORY) as self._file:
            await super().__call__(scope, receive, send)

    def add(self, user: PlannedUser) -> None:
        """Write the changes of a user."""
        self._write(change_rows(user))

    def beginning(self) -> Iterable[bytes]:
        """See PlanStream."""
        self._write([CHANGE_COLUMNS])
        yield from self.progress()

    def progress(self) -> Iterable[bytes]:
        """See PlanStream."""
        while self._sent < self._written:
            self._file.seek(self._sent)
            piece = self._file.read(PIECE)
            self._sent += len(piece)
            yield piece

    def end(self, made: CatalogPlan | Exception) -> Iterable[bytes]:
        """See PlanStream. Raises what ended the plan, so that a part of the list is not taken for all of it."""
        yield from self.progress()
        if isinstance(made, Exception):
            raise made

    def _write(self, rows: Iterable[Sequence[object]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows([csv_cell("" if one is None else one) for one in row] for row in rows)
        self._file.seek(self._written)
        self._written += self._file.write(text.getvalue().encode())


ENDPOINTS = (plan_page, plan_csv)
