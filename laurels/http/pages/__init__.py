"""Pages for people: one file for each, `html.py` renders them, `static.py` serves what they load."""

from laurels.http.pages.leaderboards import leaderboard_page, leaderboards_page
from laurels.http.pages.profile import front_page, profile_page
from laurels.http.pages.static import static_file

HANDLERS = (static_file, front_page, profile_page, leaderboards_page, leaderboard_page)
"""Every address of a page; none of them is in the OpenAPI document."""
