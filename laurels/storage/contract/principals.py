"""Principals: who was authenticated when a change was made."""

from __future__ import annotations

from typing import Literal

from laurels.engine.values import plain

PrincipalKind = Literal["key", "operator", "proxy", "session", "cli", "library"]


@plain
class Principal:
    """Who was authenticated, as Laurels found out itself; no one can claim it.

    kind  `key` (an API key), `operator` (a person at the console, by an admin key), `proxy` (a person at the console, by the
          name that a proxy gave), `session` (a user), `cli` (the command line) or `library` (a Python program)
    name  the name of the key or of the operator, the user's id, the system user of the command line, or the program's name
    """

    kind: PrincipalKind
    name: str


@plain
class Source:
    """Where a change comes from: the principal, and over HTTP the address of the client and the id of the request."""

    principal: Principal
    address: str | None = None
    request_id: str | None = None


LIBRARY = Source(Principal("library", ""))
"""A Python program that gave no name."""
