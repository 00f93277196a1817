"""Which host names a demo answers to: its page shows a key, so a foreign name that leads to this machine must get nothing."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from laurels.http.cookies import is_loopback
from laurels.http.dispatch import Dispatcher
from laurels.http.problems import WrongHost, problem_response
from laurels.http.requests import header
from laurels.http.responses import Receive, Scope, Send


class DemoDispatcher(Dispatcher):
    """The application of a demo. It refuses requests for other host names, from which only a foreign site's page could come.

    Such a site points its own name at this machine (DNS rebinding). The page's requests are then of its own origin, so that the
    browser would let it read the playground and its key; but they carry the site's name.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        host = "" if scope["type"] != "http" else header(scope, b"host") or ""
        if scope["type"] != "http" or is_host_of(host, self.context.settings.server.host):
            await super().__call__(scope, receive, send)
            return
        await problem_response(WrongHost(REFUSED))(scope, receive, send)


REFUSED = (
    "This demo answers at localhost, 127.0.0.1 and [::1] only, so that no other site can read its key. "
    "Open the address that it printed."
)


def is_host_of(sent: str, listens_on: str) -> bool:
    """Whether a `Host` header names this demo, with any port.

    Accepted are the names of this machine for itself, and the name that the demo listens on. If other machines may reach it, all
    IP addresses are, too: a foreign site can point names of its own here, but no address.
    """
    try:
        parts = urlsplit(f"//{sent}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.netloc != sent or "@" in sent:
        return False
    if name in ("localhost", listens_on.lower()):
        return name != ""
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not is_loopback(listens_on)
