"""The console for operators: one file for each kind of page, `door.py` keeps them, `session.py` knows who is signed in."""

from laurels.http.console import acts, amnesties, audit, signing_in, users

HANDLERS = (*signing_in.HANDLERS, *users.HANDLERS, *acts.HANDLERS, *amnesties.HANDLERS, *audit.HANDLERS)
"""Every address of the console; none of them is in the OpenAPI document."""
