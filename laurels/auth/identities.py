"""Identities from a proxy: it signs people in, and names them in a header of every request that it passes on.

A header is text that anyone can send. It counts only on a TCP connection from one of the listed addresses: of another, no header
is read, neither this one nor one that says who the client is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from laurels.auth.scopes import is_within
from laurels.engine.names import clean_name
from laurels.engine.values import plain
from laurels.errors import InvalidInput, LaurelsError

MAX_GROUPS = 1000

Headers = Iterable[tuple[bytes, bytes]]


class IdentityError(LaurelsError):
    """The proxy's header cannot be read."""

    security_event = "identity.refused"


@plain
class Identity:
    """Someone whom the proxy has signed in: their name and their groups, as the proxy writes them."""

    name: str
    groups: frozenset[str] = frozenset()


@plain
class TrustedProxy:
    """A proxy whose headers are believed.

    header         names the person; in lower case
    groups_header  lists the groups of the person, with commas between them; '' if there is none
    addresses      the addresses and networks from which it connects
    """

    header: str
    groups_header: str
    addresses: tuple[str, ...]

    def identity(self, headers: Headers, peer: str | None) -> Identity | None:
        """Whom the proxy names in this request. `peer` is the address at the other end of the TCP connection.

        None if the connection is not the proxy's, or if the proxy names no one. Raises IdentityError for a header that is
        there twice, which may be the client's next to the proxy's, or that is no name.
        """
        if not is_within(peer, self.addresses):
            return None
        names, groups = _values(headers, self.header, self.groups_header)
        if not names or names == [""]:
            return None
        name = _name(_only(names, self.header), self.header)
        return Identity(name, _groups(_only(groups, self.groups_header), self.groups_header) if groups else frozenset())


def _values(headers: Headers, *names: str) -> list[list[str]]:
    """The values of these headers. Raises IdentityError for one that is not UTF-8."""
    wanted = {name.encode(): list[str]() for name in names if name}
    for key, value in headers:
        if key in wanted:
            try:
                wanted[key].append(value.decode().strip(" \t"))
            except UnicodeDecodeError:
                raise IdentityError(f"The header '{key.decode()}' is not UTF-8.") from None
    return [wanted.get(name.encode(), []) for name in names]


def _only(values: Sequence[str], header: str) -> str:
    if len(values) > 1:
        raise IdentityError(
            f"The request has {len(values)} headers '{header}'. The proxy must replace a header that a client sends."
        )
    return values[0]


def _name(text: str, header: str) -> str:
    """A name, exactly as it was sent. One that looks like another, or like several, is refused."""
    try:
        is_clear = clean_name(text) == text
    except InvalidInput as error:
        raise IdentityError(f"The header '{header}' {error}.") from None
    if not is_clear:
        raise IdentityError(f"The header '{header}' has characters that no page shows.")
    if "," in text:  # two headers that something on the way has joined
        raise IdentityError(f"The header '{header}' must have one name, not several with commas between them.")
    return text


def _groups(text: str, header: str) -> frozenset[str]:
    groups = [group.strip() for group in text.split(",") if group.strip()]
    if len(groups) > MAX_GROUPS or not text.isprintable():
        raise IdentityError(f"The header '{header}' must list at most {MAX_GROUPS} groups, without control characters.")
    return frozenset(groups)
