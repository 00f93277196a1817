"""Cookies that the server sets: when browsers send them over https only."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from laurels.http.responses import Header, Scope
from laurels.settings import Settings

HOST_ONLY = "__Host-"
"""Before the name of a cookie: browsers take it over https only, and only from this very host, not from one next to it."""


def is_secure(settings: Settings, scope: Scope) -> bool:
    """Whether a cookie of this response is marked Secure.

    With "auto": if the request came over https, or if browsers will come so, although this request did not: a back end
    creates sessions within the network, and a proxy may not say how the browser came.
    """
    choice = settings.auth.cookie_secure
    if choice != "auto":
        return choice == "always"
    return scope.get("scheme") == "https" or is_public(settings.server.host, settings.server.origins)


@lru_cache(maxsize=16)
def is_public(host: str, origins: tuple[str, ...]) -> bool:
    """Whether browsers come over https: an origin says so, or the server listens to other machines."""
    return any(origin.startswith("https:") for origin in origins) or not is_loopback(host)


def is_loopback(host: str) -> bool:
    """Whether a host, as settings or an address name it, is this machine itself."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def set_cookie(name: str, value: str, *, path: str, seconds: int, same_site: str, secure: bool) -> Header:
    """A Set-Cookie header, hidden from scripts; a lifetime of 0 removes the cookie."""
    mark = "; Secure" if secure else ""
    text = f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{mark}"
    return b"set-cookie", text.encode()
