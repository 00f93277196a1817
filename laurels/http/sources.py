"""Where a request comes from: its principal, the address of the client, and an id of the request for logs and the audit."""

from __future__ import annotations

import re
import secrets
from ipaddress import ip_address
from typing import Any, Protocol, cast

from laurels.http.requests import header
from laurels.http.responses import Scope
from laurels.storage.contract import Principal, Source

ID_HEADER = b"x-request-id"
ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,64}")
"""The ids of requests that are taken over from a proxy. They are only text to search for."""

PEER = "laurels.peer"
"""The key of the scope under which our own server puts the address at the other end of the TCP connection.

`client` may be what a header says. In another server there is no such key, and so no proxy that is believed.
"""

_MADE = "laurels.request_id"
"""The key of the scope under which an id that was made here is kept."""


class Identified(Protocol):
    """A caller whose principal is known."""

    @property
    def principal(self) -> Principal:
        """Who was authenticated."""
        ...


def source_of(scope: Scope, caller: Identified) -> Source:
    """Where the changes of this request come from."""
    return Source(caller.principal, address_of(scope), request_id(scope))


def address_of(scope: Scope) -> str | None:
    """The address of the client, which a trusted proxy may have named; None if it is not an IP address."""
    client = scope.get("client")
    try:
        return str(ip_address(client[0])) if client else None
    except ValueError:
        return None


def peer_of(scope: Scope) -> str | None:
    """The address at the other end of the TCP connection, whatever any header says; None if it is not known."""
    peer = scope.get(PEER)
    return peer if isinstance(peer, str) else None


def request_id(scope: Scope) -> str:
    """The id of this request: that of the header X-Request-Id, or a random one."""
    sent = header(scope, ID_HEADER)
    if sent and ID.fullmatch(sent):
        return sent
    kept = cast(dict[str, Any], scope)
    return kept.setdefault(_MADE, secrets.token_hex(8).upper())
