"""What an API key may do: its scopes, when it expires, and from where it may be used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, cast, get_args

from laurels.engine.parsing import closest
from laurels.errors import InvalidInput, MissingScope, Unauthorized, WrongAddress
from laurels.storage.contract import KeyRow

KeyScope = Literal[
    "events:write",
    "users:read",
    "users:write",
    "users:erase",
    "sessions:write",
    "adjustments:write",
    "catalog:apply",
]

ABOUT: Mapping[KeyScope, str] = {
    "events:write": "record events; without users:read, the answer says only which were recorded",
    "users:read": "read users, their sessions, leaderboards and amnesties",
    "users:write": "create and change users; the answer is the user as stored",
    "users:erase": "erase users, for good, and undo erasures that are pending",
    "sessions:write": "sign users in, with name and time zone, and out everywhere; who does can read what the user can",
    "adjustments:write": "reversals, adjustments, amnesties, and the clock of a sandbox; the answer says what changed",
    "catalog:apply": "read, plan and change the catalog; a plan names the users it affects most",
}
"""Every scope, and what it allows."""

ALL: frozenset[str] = frozenset(get_args(KeyScope))
USUAL: frozenset[str] = frozenset({"events:write", "users:read", "users:write", "sessions:write"})
"""What a new key may do unless its scopes are named: what every app does each day. What is final or done by hand is named."""

EVERY = "all"
"""Stands for all scopes on the command line."""

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
AGE = re.compile(r"([1-9][0-9]{0,4})([hdw])", re.ASCII)
MAX_AGE = timedelta(days=3660)
MAX_ADDRESSES = 100


def read_scopes(names: Iterable[str]) -> frozenset[str]:
    """The scopes of these names. Raises InvalidInput for an unknown one."""
    found = {*names}
    for name in sorted(found - ALL - {EVERY}):
        raise InvalidInput("--scope", f"unknown scope '{name}'; {closest(name, [*ALL, EVERY])}")
    return ALL if EVERY in found else frozenset(found)


def read_age(text: str) -> timedelta:
    """How long a key is valid, from a text such as '90d'. Raises InvalidInput."""
    found = AGE.fullmatch(text)
    age = int(found[1]) * UNITS[found[2]] if found else None
    if age is None or age > MAX_AGE:
        raise InvalidInput("--expires", f"'{text}' is not a time of at most ten years, such as 12h, 90d or 26w")
    return age


def read_addresses(texts: Sequence[str]) -> tuple[str, ...]:
    """Addresses and networks in their usual form. Raises InvalidInput."""
    if len(texts) > MAX_ADDRESSES:
        raise InvalidInput("--address", f"there are {len(texts)} addresses; the most are {MAX_ADDRESSES}")
    found: dict[str, None] = {}
    for text in texts:
        try:
            network = ip_network(text)
        except ValueError:
            fix = "write an address such as 192.0.2.7, or a network such as 10.0.0.0/8 with no bits after its length"
            raise InvalidInput("--address", f"'{text}' is not an IP address or network; {fix}") from None
        found[str(network)] = None
    return tuple(found)


def check_use(key: KeyRow, now: datetime, address: str | None) -> None:
    """Raise Unauthorized for an expired key, and WrongAddress for one that may not be used from this address."""
    if key.expires_at is not None and key.expires_at <= now:
        raise Unauthorized(f"This key expired at {key.expires_at:%Y-%m-%dT%H:%M:%SZ}; {NEW_KEY}")
    if key.addresses and not is_within(address, tuple(key.addresses)):
        seen = f"'{address}'" if address else "an unknown address"
        raise WrongAddress(f"This key may not be used from {seen}; 'laurels key list' shows from where it may be.")


def is_usable(key: KeyRow, now: datetime, address: str | None) -> bool:
    """Whether a key may be used now, from this address."""
    return (key.expires_at is None or key.expires_at > now) and (
        not key.addresses or is_within(address, tuple(key.addresses))
    )


NEW_KEY = "'laurels key create' creates a new one."


def check_scope(scopes: frozenset[str], needed: KeyScope) -> None:
    """Raise MissingScope if the scope that is needed is not among these."""
    if needed not in scopes:
        raise MissingScope(needed)


def is_within(address: str | None, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of these networks. An IPv4 address in the form of IPv6 counts as what it stands for."""
    if address is None:
        return False
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(_contains(network, found) for network in _networks(networks))


def _contains(network: IPv4Network | IPv6Network, address: IPv4Address | IPv6Address) -> bool:
    return network.version == address.version and address in network


@lru_cache(maxsize=256)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(_unmapped(ip_network(text)) for text in texts)


MAPPED_LENGTH = 96
"""The length of ::ffff:0:0/96, the network of IPv4 addresses in the form of IPv6 (RFC 4291, section 2.5.5.2)."""


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """A network of IPv4 addresses in the form of IPv6 as what it stands for, because the addresses are compared so."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    length = network.prefixlen - MAPPED_LENGTH
    return IPv4Network((mapped, length)) if mapped and length >= 0 else network


def listed(scopes: Iterable[str]) -> list[KeyScope]:
    """Scopes in the order of the documentation."""
    found = {*scopes}
    return [cast(KeyScope, scope) for scope in get_args(KeyScope) if scope in found]
