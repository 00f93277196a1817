"""The console for operators: one file for each kind of page, `door.py` keeps them, `session.py` knows who is signed in."""

from laurels.console import adjustments as adjustments
from laurels.console import amnesties, audit, catalog, health, overview, users
from laurels.console import sign_in as signing_in

_PAGES = (signing_in, overview, users, adjustments, amnesties, audit, catalog, health)

HANDLERS = tuple(handler for page in _PAGES for handler in page.HANDLERS)
"""Every address of the console; none of them is in the OpenAPI document."""
