"""Pages for people: one file for each, `html.py` renders them, `static.py` serves what they load."""

from laurels.http.pages.static import static_file

HANDLERS = (static_file,)
"""Every address of a page; none of them is in the OpenAPI document."""
