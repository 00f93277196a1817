"""Pages for users: one file for each, `html.py` renders them, `static.py` serves what they load."""

from laurels.site import badges, leaderboards, profile, static

ENDPOINTS = (*static.ENDPOINTS, *profile.ENDPOINTS, *leaderboards.ENDPOINTS, *badges.ENDPOINTS)
"""All addresses of pages; none of them is in the OpenAPI document."""
