"""The one table from errors to HTTP: status, problem type, title, short text. Each type has a page at its own address."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import msgspec

from laurels import errors
from laurels.http.responses import NO_STORE, Header, Headers, Response
from laurels.present.problems import FieldError, Problem
from laurels.storage.contract import Principal

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
CONTENT_TYPE: Header = (b"content-type", MEDIA_TYPE.encode())
RETRY_AFTER = 1
"""After how many seconds to try again, unless the error says otherwise."""

PAGES = "/problems/"

LOG_SECONDS = 10
"""The time between two lines in the log about overload."""


class BadRequest(errors.LaurelsError):
    """The request is malformed."""


class UnsupportedMediaType(errors.LaurelsError):
    """The body must be JSON: send it with 'Content-Type: application/json'."""


class BodyTooLarge(errors.LaurelsError):
    """The body is larger than this server accepts; send it in parts."""


class TooSlow(errors.LaurelsError):
    """The request did not arrive completely in the time that this server allows."""


class HeadTooLarge(errors.LaurelsError):
    """The address and the headers of the request are larger than this server accepts."""


class TooManyRequests(errors.LaurelsError):
    """This caller sends more requests than this server accepts from one caller."""

    security_event = "request.rate_limited"
    principal: Principal | None = None
    """The caller, if it was authenticated."""

    def __init__(self, message: str = "", headers: Headers = ()) -> None:
        """`headers` say when to try again, Retry-After among them."""
        super().__init__(message)
        self.headers = headers
        self.about: Mapping[str, str] = {}  # for the security log: which key was refused too often


class WrongHost(errors.LaurelsError):
    """The request is for a host name that is not this server's."""


class NoSuchPage(errors.LaurelsError):
    """There is nothing at this address."""


class NoSuchRevision(errors.LaurelsError):
    """The catalog has no revision of this number."""


class InvalidCatalog(errors.LaurelsError):
    """A catalog that was sent has faults, or must not follow the one in force."""

    def __init__(self, error: errors.CatalogError) -> None:
        super().__init__(str(error))
        self.faults = error.faults


class InvalidParameter(errors.InvalidInput):
    """A parameter in the address is not valid."""


class UnknownParameter(InvalidParameter):
    """The address has no parameter of this name."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem. `title` is the same for all of its kind, `error` a short text, `fix` what to do about it."""

    code: str
    status: int
    title: str
    error: str
    fix: str


WRONG_CATALOG = Kind(
    "wrong-catalog",
    503,
    "The database's catalog cannot be used",
    "Wrong catalog",
    "The operator should run 'laurels doctor'.",
)

KINDS: dict[type[Exception], Kind] = {
    BadRequest: Kind(
        "malformed",
        400,
        "The request cannot be read",
        "Bad request",
        "Fix the JSON or the address, then send it again.",
    ),
    UnknownParameter: Kind(
        "unknown-parameter",
        400,
        "The address has no such parameter",
        "Unknown parameter",
        "Correct the name of the parameter in 'errors', or leave it out.",
    ),
    errors.Unauthorized: Kind(
        "unauthorized",
        401,
        "No valid session or key",
        "Unauthorized",
        "Send a user's session cookie, or 'Authorization: Bearer KEY' from the app's back end.",
    ),
    errors.MissingScope: Kind(
        "missing-scope",
        403,
        "The key lacks a scope",
        "Missing scope",
        "The detail names the scope; create a key that has it, too, with "
        "'laurels key create --name NAME --scope SCOPE --scope ...'.",
    ),
    errors.WrongAddress: Kind(
        "wrong-address",
        403,
        "The key may not be used from this address",
        "Wrong address",
        "Use the key from one of its addresses, which 'laurels key list' shows, or create another key.",
    ),
    errors.UserNotFound: Kind(
        "user-not-found",
        404,
        "No such user",
        "User not found",
        "Create the user with PUT, or record one of their events.",
    ),
    errors.SessionNotFound: Kind(
        "session-not-found",
        404,
        "No such session",
        "Session not found",
        "GET /api/gamification/users/{userId}/sessions lists the user's sessions. This one may have ended.",
    ),
    errors.AdjustmentNotFound: Kind(
        "adjustment-not-found",
        404,
        "No such adjustment",
        "Adjustment not found",
        "The user's history shows the ids of adjustments.",
    ),
    errors.BadgeNotFound: Kind(
        "badge-not-found", 404, "No such badge", "Badge not found", "GET /api/gamification/catalog lists all badges."
    ),
    errors.StreakNotFound: Kind(
        "streak-not-found",
        404,
        "No such streak",
        "Streak not found",
        "GET /api/gamification/streaks lists all streaks.",
    ),
    errors.LeaderboardNotFound: Kind(
        "leaderboard-not-found",
        404,
        "No such leaderboard",
        "Leaderboard not found",
        "GET /api/gamification/leaderboards lists all leaderboards.",
    ),
    errors.PeriodNotFound: Kind(
        "period-not-found",
        404,
        "The leaderboard has no such period",
        "Period not found",
        "Ask for 'current', 'previous', or a key in the format of the leaderboard's periods, such as 2026-W47.",
    ),
    errors.AmnestyNotFound: Kind(
        "amnesty-not-found",
        404,
        "No such amnesty in force",
        "Amnesty not found",
        "GET /api/gamification/amnesties lists all amnesties.",
    ),
    NoSuchRevision: Kind(
        "revision-not-found",
        404,
        "The catalog has no such revision",
        "Revision not found",
        "GET /api/gamification/catalog/revisions lists all revisions.",
    ),
    NoSuchPage: Kind("not-found", 404, "Nothing at this address", "Not found", "See /docs for all addresses."),
    TooSlow: Kind(
        "too-slow",
        408,
        "The request took too long to arrive",
        "Request timeout",
        "Send it again, in smaller parts on a slow connection; the operator can raise server.receive_seconds.",
    ),
    errors.EventConflict: Kind(
        "event-conflict",
        409,
        "The same event id with another body",
        "Event conflict",
        "Use a new id for a new event; send a retry exactly as the first time.",
    ),
    errors.AdjustmentConflict: Kind(
        "adjustment-conflict",
        409,
        "The same adjustment id with another body",
        "Adjustment conflict",
        "Use a new id for a new adjustment; send a retry exactly as the first time.",
    ),
    errors.AdjustmentRefused: Kind(
        "adjustment-refused",
        409,
        "The user's points, days or quota do not allow this",
        "Adjustment refused",
        "The detail says what is left, or which day.",
    ),
    errors.PlanOutdated: Kind(
        "plan-outdated",
        409,
        "The plan is not of this catalog, base or policy",
        "Plan outdated",
        "Make another plan with POST /api/gamification/catalog/plans, and apply that one.",
    ),
    errors.NotASandbox: Kind(
        "not-a-sandbox",
        409,
        "The clock of this database cannot be moved",
        "Not a sandbox",
        "Leave out the header Laurels-Now and do not move the clock, or use a database marked as a sandbox by 'laurels clock'.",
    ),
    errors.ZoneChangeTooSoon: Kind(
        "zone-change-too-soon",
        409,
        "A second change of time zone within 24 hours",
        "Time zone changed too recently",
        "Send the change again after the time in 'retryAt'.",
    ),
    errors.UserErased: Kind(
        "user-erased",
        410,
        "This user was erased",
        "User erased",
        "Stop sending events of this user; a new account needs a new id.",
    ),
    errors.ErasurePending: Kind(
        "erasure-pending",
        410,
        "This user is to be erased",
        "Erasure pending",
        "Stop sending events of this user, or undo it with POST /api/gamification/users/{userId}/restore.",
    ),
    errors.PastNotStored: Kind(
        "past-not-stored",
        410,
        "The past is not stored as far back as that",
        "Past not stored",
        "Read as of the time in 'earliest', or a later one.",
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
        "Import old history with 'laurels record --any-age', or raise the setting rules.late_days.",
    ),
    errors.EventTooEarly: Kind(
        "event-too-early",
        422,
        "The event occurs in the future",
        "Event too early",
        "Correct the sender's clock, or leave out occurredAt.",
    ),
    errors.InvalidInput: Kind(
        "invalid-input", 422, "A field is not valid", "Invalid input", "Fix the fields listed in 'errors'."
    ),
    InvalidCatalog: Kind(
        "invalid-catalog",
        422,
        "The catalog has faults, or must not follow the one in force",
        "Invalid catalog",
        "Fix the faults listed in 'errors'.",
    ),
    WrongHost: Kind(
        "wrong-host",
        421,
        "The host name is not this server's",
        "Wrong host",
        "Use the name that the server is configured for (`server.hosts`). A demo answers at localhost only.",
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
        "Too many requests from one caller",
        "Too many requests",
        "Send it again after the seconds in Retry-After; the operator can raise limits.key_rate and limits.session_rate.",
    ),
    errors.Overloaded: Kind(
        "overloaded", 503, "The server is overloaded", "Overloaded", "Send it again after the seconds in Retry-After."
    ),
    errors.StoreUnavailable: Kind(
        "store-unavailable",
        503,
        "The database cannot be reached or written",
        "Database unavailable",
        "Send it again after the seconds in Retry-After; the operator should run 'laurels doctor'.",
    ),
    errors.MigrationError: Kind(
        "wrong-schema",
        503,
        "The database has another version's schema",
        "Wrong schema",
        "The operator should run 'laurels migrate'.",
    ),
    errors.CatalogDiffers: WRONG_CATALOG,
    errors.CatalogError: WRONG_CATALOG,
}

METHOD = Kind(
    "method-not-allowed", 405, "This address has other methods", "Method not allowed", "See the Allow header."
)
INTERNAL = Kind(
    "internal", 500, "Internal error", "Internal error", "Send it again later; the operator finds the cause in the log."
)
PROFILE = Kind(
    "profile-failed",
    500,
    "The profile cannot be read",
    "Failed to fetch profile",
    "Send it again later; the operator finds the cause in the log.",
)

ALL_KINDS = (*dict.fromkeys(KINDS.values()), METHOD, INTERNAL, PROFILE)


def kind_of(error: Exception) -> Kind:
    """The kind of an error; INTERNAL for one that has none."""
    for ancestor in type(error).__mro__:
        if ancestor in KINDS:
            return KINDS[ancestor]
    return INTERNAL


def problem_of(error: Exception, *, prefix: str = "", parameter: bool = False) -> Problem:
    """The problem document of an error.

    `prefix` is the JSON pointer of the object that holds the wrong field; `parameter` says that the field is in the address
    instead of the body.
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
    if isinstance(error, InvalidCatalog):
        wrong = [FieldError(detail=str(fault), pointer="/text") for fault in error.faults]
    return Problem(
        type=PAGES + kind.code,
        title=kind.title,
        status=kind.status,
        detail=kind.fix if kind is INTERNAL else str(error),
        error=kind.error,
        errors=wrong,
        retry_at=error.allowed_from if isinstance(error, errors.ZoneChangeTooSoon) else None,
        earliest=error.earliest if isinstance(error, errors.PastNotStored) else None,
    )


def problem_response(error: Exception) -> Response:
    """The response to a request that ended in this error."""
    problem = problem_of(error, parameter=isinstance(error, InvalidParameter))
    if problem.status >= INTERNAL.status:
        _report(problem, error)
    return _response(problem, *_headers_of(error))


def profile_failed() -> Response:
    """The contract's response when the profile cannot be read."""
    return _response(_problem(PROFILE))


def method_not_allowed(allow: bytes) -> Response:
    """The response to a method that the address does not have. `allow` lists those that it has."""
    return _response(_problem(METHOD), (b"allow", allow))


def _response(problem: Problem, *headers: Header) -> Response:
    return Response(problem.status, (CONTENT_TYPE, NO_STORE, *headers), msgspec.json.encode(problem))


def _problem(kind: Kind) -> Problem:
    """A problem with no detail beyond its kind."""
    return Problem(type=PAGES + kind.code, title=kind.title, status=kind.status, detail=kind.fix, error=kind.error)


def _headers_of(error: Exception) -> Headers:
    """The headers of an error: how to authenticate, and when to try again."""
    if isinstance(error, errors.Unauthorized):
        return [(b"www-authenticate", b"Bearer")]
    if isinstance(error, errors.MissingScope):
        challenge = f'Bearer error="insufficient_scope", scope="{error.scope}"'  # RFC 6750
        return [(b"www-authenticate", challenge.encode())]
    if isinstance(error, TooManyRequests):
        return error.headers
    if isinstance(error, errors.Overloaded):
        return [(b"retry-after", b"%d" % error.retry_after)]
    if kind_of(error).status == KINDS[errors.Overloaded].status:
        return [(b"retry-after", b"%d" % RETRY_AFTER)]
    return ()


class Refusals:
    """Logs refused requests with a line at most every few seconds: a line for each would add to the load, and fill the log."""

    def __init__(self, text: str, seconds: float) -> None:
        """`text` is filled with the number of requests since the last line, and with what is reported of the last one."""
        self._text = text
        self._seconds = seconds
        self._count = 0
        self._silent_until = 0.0

    def report(self, *last: object) -> None:
        """Count a request."""
        self._count += 1
        now = monotonic()
        if now >= self._silent_until:
            log.warning(self._text, self._count, *last)
            self._count, self._silent_until = 0, now + self._seconds


_refusals = Refusals("%d requests were refused; the last one: %s", LOG_SECONDS)


def _report(problem: Problem, error: Exception) -> None:
    if isinstance(error, errors.Overloaded):
        _refusals.report(error)
    else:
        log.error("%s: %s", problem.title, error, exc_info=error if problem.status == INTERNAL.status else None)
