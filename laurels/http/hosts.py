"""Host names: which a server answers to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from laurels.engine.values import plain


@plain
class HostNames:
    """The host names that a server answers to.

    admits         whether a `Host` header is one of them
    refusal        what the answer to others says
    spares_health  whether health checks are answered at any name: they come to the address of a machine
    """

    admits: Callable[[str], bool]
    refusal: str
    spares_health: bool = True


def name_in(sent: str) -> str:
    """The name in a `Host` header, in lower case and without its port; '' if it is not one."""
    try:
        parts = urlsplit(f"//{sent}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return name if parts.netloc == sent and "@" not in sent else ""


def names_in(allowed: Collection[str]) -> HostNames:
    """Only these names."""
    names = frozenset(name.lower().strip("[]") for name in allowed)
    return HostNames(lambda sent: name_in(sent) in names, "This server answers at other host names.")
