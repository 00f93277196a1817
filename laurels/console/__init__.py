"""The console for operators: one file for each kind of page, `guards.py` protects them, `session.py` knows who is signed in."""

from laurels.console import adjustments as adjustments
from laurels.console import (
    amnesties,
    applying,
    audit,
    catalog,
    changes,
    editor,
    health,
    overview,
    plans,
    revisions,
    second_factor,
    users,
)
from laurels.console import sign_in as signing_in

_PAGES = (
    signing_in,
    second_factor,
    overview,
    users,
    adjustments,
    amnesties,
    audit,
    catalog,
    revisions,
    editor,
    changes,
    plans,
    applying,
    health,
)

ENDPOINTS = tuple(one for page in _PAGES for one in page.ENDPOINTS)
"""All addresses of the console; none of them is in the OpenAPI document."""
