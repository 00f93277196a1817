"""The one table from errors to HTTP: status, problem type, title, short text. Each type has a page at its own address."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import msgspec
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)

from laurels import errors
from laurels.http.answers import Answer, Headers
from laurels.present.shapes import FieldError, Problem

log = logging.getLogger(__name__)

MEDIA_TYPE = b"application/problem+json"
RETRY_AFTER = 1
"""In how many seconds to send again what failed for a reason that says nothing of time."""

PAGES = "/problems/"

TOLD_EVERY = 10
"""How many seconds lie between two lines in the log about overload."""


class BadRequest(errors.LaurelsError):
    """The request cannot be read as what it says it is."""


class UnsupportedMediaType(errors.LaurelsError):
    """The body must be JSON: send it with 'Content-Type: application/json'."""


class BodyTooLarge(errors.LaurelsError):
    """The body is larger than this server takes; send it in parts."""


class TooSlow(errors.LaurelsError):
    """The request did not come as a whole within the time that this server waits for it."""


class HeadTooLarge(errors.LaurelsError):
    """The address and the headers of the request are larger than this server takes."""


class TooManyRequests(errors.LaurelsError):
    """This caller makes more requests than the server takes of one."""

    def __init__(self, message: str = "", headers: Headers | None = None) -> None:
        """`headers` say when to come again, Retry-After among them."""
        super().__init__(message)
        self.headers = headers or []


class NoSuchPage(errors.LaurelsError):
    """There is nothing at this address."""


class InvalidParameter(errors.InvalidInput):
    """A parameter in the address is not valid."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem. `title` is the same for all of its kind, `error` the short text, `mend` what to do about it."""

    code: str
    status: int
    title: str
    error: str
    fix: str


KINDS: dict[type[Exception], Kind] = {
    BadRequest: Kind(
        "malformed",
        400,
        "The request cannot be read",
        "Bad request",
        "Mend the JSON or the address, then send it again.",
    ),
    errors.Unauthorized: Kind(
        "unauthorized",
        401,
        "No valid session or key",
        "Unauthorized",
        "Send a session's cookie for a user, or 'Authorization: Bearer KEY' for the app's back end.",
    ),
    errors.UserNotFound: Kind(
        "user-not-found", 404, "No such user", "User not found", "Make the user with PUT, or record an event of theirs."
    ),
    errors.AdjustmentNotFound: Kind(
        "act-not-found",
        404,
        "Nothing was told under this id",
        "Act not found",
        "See the user's history for the ids of acts.",
    ),
    errors.BadgeNotFound: Kind(
        "badge-not-found", 404, "No such badge", "Badge not found", "See /api/gamification/catalog for all badges."
    ),
    errors.StreakNotFound: Kind(
        "streak-not-found", 404, "No such streak", "Streak not found", "See /api/gamification/streaks for all streaks."
    ),
    errors.LeaderboardNotFound: Kind(
        "leaderboard-not-found",
        404,
        "No such leaderboard",
        "Leaderboard not found",
        "See /api/gamification/leaderboards for all leaderboards.",
    ),
    errors.PeriodNotFound: Kind(
        "period-not-found",
        404,
        "The leaderboard has no such period",
        "Period not found",
        "Ask for 'current', 'previous', or a key of the kind that the leaderboard counts by, such as 2026-W47.",
    ),
    errors.AmnestyNotFound: Kind(
        "amnesty-not-found",
        404,
        "No such amnesty stands",
        "Amnesty not found",
        "See /api/gamification/amnesties for those that stand.",
    ),
    NoSuchPage: Kind("not-found", 404, "Nothing at this address", "Not found", "See /docs for all addresses."),
    TooSlow: Kind(
        "too-slow",
        408,
        "The request took too long to come",
        "Request timeout",
        "Send it again, in smaller parts where the line is slow; the operator can set receive_seconds.",
    ),
    errors.EventConflict: Kind(
        "event-conflict",
        409,
        "The same event id with another body",
        "Event conflict",
        "Give a new event a new id; send a retry exactly as it was first sent.",
    ),
    errors.AdjustmentConflict: Kind(
        "act-conflict",
        409,
        "The same act id for something else",
        "Act conflict",
        "Give a new act a new id; send a retry exactly as it was first sent.",
    ),
    errors.AdjustmentRefused: Kind(
        "act-refused",
        409,
        "The user's points, days or quota do not allow this",
        "Act refused",
        "Read the detail: it says what is left, or which day.",
    ),
    errors.NotASandbox: Kind(
        "not-a-sandbox",
        409,
        "The clock of this database cannot be moved",
        "Not a sandbox",
        "Leave the header Laurels-Now out and the clock alone, or use a database that 'laurels clock' has marked as a sandbox.",
    ),
    errors.ZoneChangeTooSoon: Kind(
        "zone-change-too-soon",
        409,
        "A second change of time zone within 24 hours",
        "Time zone changed too recently",
        "Send the change again from the time that 'retryAt' says.",
    ),
    errors.UserErased: Kind(
        "user-erased",
        410,
        "This user was erased",
        "User erased",
        "Stop sending events of this user; a new account needs a new id.",
    ),
    BodyTooLarge: Kind(
        "too-large",
        413,
        "The body is too large",
        "Body too large",
        "Send fewer events at once, or less data with each.",
    ),
    UnsupportedMediaType: Kind(
        "unsupported-media-type",
        415,
        "The body is not JSON",
        "Unsupported media type",
        "Send 'Content-Type: application/json'.",
    ),
    errors.EventTooLate: Kind(
        "event-too-late",
        422,
        "The event occurred before the late window",
        "Event too late",
        "Import old history with 'laurels record --any-age', or widen the setting late_days.",
    ),
    errors.EventTooEarly: Kind(
        "event-too-early",
        422,
        "The event claims to occur in the future",
        "Event too early",
        "Set the sender's clock, or leave occurredAt out.",
    ),
    errors.InvalidInput: Kind(
        "invalid-input", 422, "A field is not valid", "Invalid input", "Mend the fields that 'errors' points at."
    ),
    HeadTooLarge: Kind(
        "head-too-large",
        431,
        "The headers are too large",
        "Headers too large",
        "Send fewer cookies and shorter headers.",
    ),
    TooManyRequests: Kind(
        "too-many-requests",
        429,
        "More requests than one caller may make",
        "Too many requests",
        "Send it again after the seconds that Retry-After says; the operator can set key_rate and session_rate.",
    ),
    errors.Overloaded: Kind(
        "overloaded", 503, "Too much is waiting", "Overloaded", "Send it again after the seconds that Retry-After says."
    ),
    errors.StoreUnavailable: Kind(
        "store-unavailable",
        503,
        "The database cannot be reached or written",
        "Database unavailable",
        "Send it again after the seconds that Retry-After says; the operator should run 'laurels doctor'.",
    ),
    errors.MigrationError: Kind(
        "wrong-schema",
        503,
        "The database's schema is not this version's",
        "Wrong schema",
        "The operator should run 'laurels migrate'.",
    ),
}

METHOD = Kind(
    "method-not-allowed", 405, "This address has other methods", "Method not allowed", "See the Allow header."
)
INTERNAL = Kind(
    "internal",
    500,
    "Something failed inside",
    "Internal error",
    "Send it again later; the operator finds the cause in the log.",
)
PROFILE = Kind(
    "profile-failed",
    500,
    "The profile cannot be read",
    "Failed to fetch profile",
    "Send it again later; the operator finds the cause in the log.",
)

ALL_KINDS = (*KINDS.values(), METHOD, INTERNAL, PROFILE)


def kind_of(error: Exception) -> Kind:
    """The kind of an error; INTERNAL for one that nobody expected."""
    for ancestor in type(error).__mro__:
        if ancestor in KINDS:
            return KINDS[ancestor]
    return INTERNAL


def problem_of(error: Exception, *, prefix: str = "", parameter: bool = False) -> Problem:
    """The problem document of an error.

    `prefix` is the JSON pointer of the object that holds the wrong field; `parameter` says that the field stands in the
    address instead of the body.
    """
    kind = kind_of(error)
    wrong: list[FieldError] | None = None
    if isinstance(error, errors.InvalidInput):
        place = (
            FieldError(detail=str(error), parameter=error.field)
            if parameter
            else FieldError(detail=str(error), pointer=f"{prefix}/{error.field}" if error.field else prefix)
        )
        wrong = [place]
    return Problem(
        type=PAGES + kind.code,
        title=kind.title,
        status=kind.status,
        detail=kind.fix if kind is INTERNAL else str(error),
        error=kind.error,
        errors=wrong,
        retry_at=error.allowed_from if isinstance(error, errors.ZoneChangeTooSoon) else None,
    )


def answer_for(error: Exception) -> Answer:
    """The answer to a request that ended in this error."""
    error = _ours(error)
    if isinstance(error, MethodNotAllowedException):
        return _method_not_allowed(error)
    problem = problem_of(error, parameter=isinstance(error, InvalidParameter))
    if problem.status >= INTERNAL.status:
        _report(problem, error)
    return as_answer(problem, _headers_of(error))


def as_answer(problem: Problem, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """A problem document as an answer, with these headers beside its own."""
    own = [(b"content-type", MEDIA_TYPE), (b"cache-control", b"no-store")]
    return Answer(problem.status, [*own, *headers], msgspec.json.encode(problem))


def _headers_of(error: Exception) -> Headers:
    """What an error says in headers: who may come, and when."""
    if isinstance(error, errors.Unauthorized):
        return [(b"www-authenticate", b"Bearer")]
    if isinstance(error, TooManyRequests):
        return error.headers
    if isinstance(error, errors.Overloaded):
        return [(b"retry-after", b"%d" % error.retry_after)]
    if kind_of(error).status == KINDS[errors.Overloaded].status:
        return [(b"retry-after", b"%d" % RETRY_AFTER)]
    return []


class _Refusals:
    """Tells of overload now and then: a line for each refusal would be a load of its own."""

    def __init__(self) -> None:
        self._count = 0
        self._silent_until = 0.0

    def report(self, error: Exception) -> None:
        self._count += 1
        now = monotonic()
        if now >= self._silent_until:
            log.warning("%d requests were refused, the last one because: %s", self._count, error)
            self._count, self._silent_until = 0, now + TOLD_EVERY


_refusals = _Refusals()


def _report(problem: Problem, error: Exception) -> None:
    if isinstance(error, errors.Overloaded):
        _refusals.report(error)
    else:
        log.error("%s: %s", problem.title, error, exc_info=error if problem.status == INTERNAL.status else None)


def profile_failed() -> Answer:
    """The contract's answer when the profile cannot be read."""
    return as_answer(_plain(PROFILE))


def _ours(error: Exception) -> Exception:
    """The framework's errors as ours, where there is one that means the same."""
    if isinstance(error, NotFoundException):
        return NoSuchPage()
    if isinstance(error, HTTPException) and error.status_code == KINDS[BadRequest].status:
        return BadRequest(error.detail)
    return error


def _method_not_allowed(error: MethodNotAllowedException) -> Answer:
    """The framework's refusal of a method, with the methods that the address has."""
    answer = as_answer(_plain(METHOD))
    answer.headers.append((b"allow", with_head((error.headers or {}).get("allow", "")).encode()))
    return answer


def with_head(methods: str) -> str:
    """The methods of an address as the framework knows them, and the HEAD that every GET has."""
    return methods.replace("GET", "GET, HEAD")


def _plain(kind: Kind) -> Problem:
    """A problem of which nothing more can be said than its kind."""
    return Problem(type=PAGES + kind.code, title=kind.title, status=kind.status, detail=kind.fix, error=kind.error)
