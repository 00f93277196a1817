"""One declaration for each address: from it come the route, the decoder, the OpenAPI entry, `Allow`, and the label of counters.

    @endpoint(
        "GET",
        "/api/gamification/users/{userId}",
        access=by_key("users:read"),
        operation=Operation("getUser", "Get user", "users"),
        parameters=[USER_ID],
        result=Result(User, "The user", USER_EXAMPLE),
        problems=["user-not-found"],
    )
    async def get_user(request: Request[Key, None]) -> User:
        ...

A handler gets a request that was admitted, with its path and its body already decoded and checked. It returns a value of the
type that the result declares, or a Response.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from laurels.engine.parsing import closest, excerpt
from laurels.http.access import SESSION, Access
from laurels.http.bodies import Body
from laurels.http.context import Context
from laurels.http.parameters import IN_LANGUAGE, Json, Parameter, PathParameter
from laurels.http.problems import UnknownParameter
from laurels.http.requests import check_number_of_parameters, names_in_query
from laurels.http.responses import JSON, NO_STORE, Header, Receive, Response, Scope, encode
from laurels.settings import LimitSettings

C = TypeVar("C")
B = TypeVar("B")

PLACEHOLDER = re.compile(r"\{(\w+)\}")
NO_VALUES: Mapping[str, str] = {}

BUSY = ("overloaded",)
TIMED = ("invalid-input", "not-a-sandbox")
"""What the header Laurels-Now can lead to, at every address but those that are open to all."""
STORE = ("overloaded", "store-unavailable", "wrong-catalog", "wrong-schema")


class Request(Generic[C, B]):
    """One request to an endpoint.

    caller  who is calling, as the endpoint's access identified them
    path    the ids in the path, decoded and checked
    body    the body, decoded and checked; None for endpoints that take none
    place   what gives back its place among the requests of its caller; None if it holds none
    """

    __slots__ = ("body", "caller", "context", "endpoint", "path", "place", "receive", "scope", "segments")

    caller: C
    body: B

    def __init__(
        self, context: Context, scope: Scope, receive: Receive, endpoint: Endpoint, segments: Mapping[str, str]
    ) -> None:
        """`segments` are those in place of the path's placeholders, still encoded. The dispatcher sets the other fields."""
        self.context = context
        self.scope = scope
        self.receive = receive
        self.endpoint = endpoint
        self.segments = segments
        self.path = NO_VALUES
        self.place: Hashable = None
        self.caller = cast(C, None)
        self.body = cast(B, None)


AnyRequest = Request[Any, Any]
Handler = Callable[[AnyRequest], Awaitable[object]]
ErrorResponse = Callable[[AnyRequest, Exception], Response]


@dataclass(frozen=True, slots=True)
class Operation:
    """What an endpoint is in the OpenAPI document; its handler's docstring becomes the description."""

    id: str
    summary: str
    tag: str


@dataclass(frozen=True, slots=True)
class Result:
    """What an endpoint answers on success.

    type        the type of the value that the handler returns; None: nothing, with status 204
    headers     headers besides the content type; by default, caches must not store it
    documented  headers that the document shows, such as Set-Cookie
    """

    type: type | None
    description: str
    example: Any = None
    status: int = 200
    headers: Sequence[Header] = (NO_STORE,)
    documented: Json | None = None
    media_type: str = "application/json"


def nothing(description: str, documented: Json | None = None) -> Result:
    """A result without a body."""
    return Result(None, description, status=204, headers=(), documented=documented)


@dataclass(frozen=True, eq=False, kw_only=True)
class Endpoint:
    """The declaration of one method at one address.

    strict          whether a parameter in the query that is not declared is refused: not by public pages, to whose links other
                    sites add parameters, and not by health checks
    result          None: the handler returns a Response of its own
    problems        codes that only the handler can raise; `all_problems` adds the others
    operation       None: not in the OpenAPI document
    uses_store      whether it reads or writes the database
    always          whether it is answered even above the limit of requests
    in_languages    whether its response has texts of the catalog, in the reader's language
    cross_origin    whether pages of the origins that the operator lists may read it
    error_response  how an error is shown; None: as for other endpoints
    """

    method: str
    path: str
    handler: Handler
    access: Access[Any]
    parameters: Sequence[Parameter] = ()
    strict: bool = False
    body: Body[Any] | None = None
    result: Result | None = None
    problems: Sequence[str] = ()
    operation: Operation | None = None
    uses_store: bool = True
    always: bool = False
    in_languages: bool = False
    cross_origin: bool = True
    error_response: ErrorResponse | None = None

    @cached_property
    def label(self) -> str:
        """The name of its counters."""
        return f"{self.method} {self.path}"

    @cached_property
    def in_path(self) -> Sequence[PathParameter]:
        """The parameters in its path, in order."""
        return [parameter for parameter in self.parameters if isinstance(parameter, PathParameter)]

    @cached_property
    def in_query(self) -> frozenset[str]:
        """The names of the parameters in its query."""
        return frozenset(parameter.name for parameter in self.parameters if parameter.place == "query")

    def body_limit(self, limits: LimitSettings) -> int:
        """The largest body, in bytes: what users send about themselves is small."""
        return min(limits.body_bytes, limits.session_body_bytes) if self.access is SESSION else limits.body_bytes

    @cached_property
    def refuses_body(self) -> bool:
        """Whether a body is an error: it would be ignored, and with it what the client meant."""
        return self.strict and self.body is None and self.method != "GET"

    @property
    def all_problems(self) -> Sequence[str]:
        """The codes of all problems that it can answer with."""
        codes = [*self.access.problems, *self.problems]
        codes += ("erasure-pending",) if "user-erased" in codes else ()
        codes += self.body.problems if self.body else ("malformed",) if self.refuses_body else ()
        codes += ("invalid-input",) if any(one is not IN_LANGUAGE for one in self.parameters) else ()
        codes += () if self.access.is_public else TIMED
        codes += ("unknown-parameter",) if self.strict else ()
        codes += STORE if self.uses_store else () if self.always else BUSY
        return tuple(dict.fromkeys(codes))

    def check_query(self, query: bytes) -> None:
        """Raise HeadTooLarge for too many parameters, UnknownParameter for the first one that is not declared."""
        check_number_of_parameters(query)
        if not self.strict:
            return
        known = self.in_query
        for name in names_in_query(query):
            if name not in known:
                name = excerpt(name)  # noqa: PLW2901
                fix = closest(name, known) if known else "this address has none"
                raise UnknownParameter(name, f"unknown parameter '{name}'; {fix}")

    def response(self, value: object) -> Response:
        """The response of what the handler returned."""
        if isinstance(value, Response):
            return value
        result = self.result
        if result is None:
            raise TypeError(f"{self.label} declares no result, so its handler must return a Response")
        if result.type is None:
            return Response(result.status, result.headers)
        return Response(result.status, (JSON, *result.headers), encode(value))

    def read_path(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """The ids in the path, from segments that are still encoded. Raises InvalidParameter."""
        return {parameter.name: parameter.read(values[parameter.name]) for parameter in self.in_path}


def endpoint(
    method: str,
    path: str,
    *,
    access: Access[C],
    body: Body[B] | None = None,
    parameters: Sequence[Parameter] = (),
    result: Result | None = None,
    problems: Sequence[str] = (),
    operation: Operation | None = None,
    uses_store: bool = True,
    always: bool = False,
    in_languages: bool = False,
    cross_origin: bool = True,
    error_response: ErrorResponse | None = None,
) -> Callable[[Callable[[Request[C, B]], Awaitable[object]]], Endpoint]:
    """Make a handler an endpoint; see Endpoint for what each argument means. Raises ValueError if they contradict each other."""

    def declare(handler: Callable[[Request[C, B]], Awaitable[object]]) -> Endpoint:
        declared = Endpoint(
            method=method,
            path=path,
            handler=cast(Handler, handler),
            access=access,
            body=body,
            parameters=(*parameters, *([IN_LANGUAGE] if in_languages and operation else ())),
            strict=not always and (operation is not None or not access.is_public),
            result=result,
            problems=problems,
            operation=operation,
            uses_store=uses_store,
            always=always,
            in_languages=in_languages,
            cross_origin=cross_origin,
            error_response=error_response,
        )
        if (named := [parameter.name for parameter in declared.in_path]) != PLACEHOLDER.findall(path):
            raise ValueError(f"{declared.label} has the parameters {named} for its path")
        return declared

    return declare
