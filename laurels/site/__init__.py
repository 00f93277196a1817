"""Pages for people: one file for each, `html.py` renders them, `static.py` serves what they load."""

from laurels.site.badges import badge_page, badges_page
from laurels.site.leaderboards import leaderboard_page, leaderboards_page
from laurels.site.profile import front_page, profile_page
from laurels.site.static import static_file

HANDLERS = (static_file, front_page, profile_page, leaderboards_page, leaderboard_page, badges_page, badge_page)
"""Every address of a page; none of them is in the OpenAPI document."""
