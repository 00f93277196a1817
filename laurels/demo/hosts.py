"""Which host names a demo answers to: its page shows a key, so a foreign name that leads to this machine must get nothing."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_address

from laurels.http.cookies import is_loopback
from laurels.http.hosts import HostNames, name_in

REFUSED = (
    "This demo answers at localhost, 127.0.0.1 and [::1] only, so that no other site can read its key. "
    "Open the address that it printed."
)


def is_host_of(sent: str, listens_on: str) -> bool:
    """Whether a `Host` header names this demo, with any port.

    Accepted are the names of this machine for itself, and the name that the demo listens on. If other machines may reach it, all
    IP addresses are, too: a foreign site can point names of its own here, but no address.
    """
    name = name_in(sent)
    if name in ("localhost", listens_on.lower()):
        return name != ""
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not is_loopback(listens_on)


def names_of_demo(listens_on: str) -> HostNames:
    """The names that a demo answers to, at every address.

    A foreign site can point its own name at this machine (DNS rebinding). Its page's requests are then of its own origin, so that
    the browser would let it read the playground and its key; but they carry the site's name.
    """
    return HostNames(partial(is_host_of, listens_on=listens_on), REFUSED, spares_health=False)
