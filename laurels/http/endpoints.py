"""All endpoints of the API, and those of its documentation."""

from __future__ import annotations

from laurels.http import (
    adjustments,
    amnesties,
    badges,
    catalog,
    catalog_changes,
    clock,
    docs,
    entitlements,
    events,
    health,
    leaderboards,
    profile,
    reversals,
    sessions,
    streaks,
    stream,
    users,
    visibility,
)

API = (
    *profile.ENDPOINTS,
    *events.ENDPOINTS,
    *users.ENDPOINTS,
    *visibility.ENDPOINTS,
    *sessions.ENDPOINTS,
    *streaks.ENDPOINTS,
    *badges.ENDPOINTS,
    *entitlements.ENDPOINTS,
    *adjustments.ENDPOINTS,
    *reversals.ENDPOINTS,
    *amnesties.ENDPOINTS,
    *leaderboards.ENDPOINTS,
    *stream.ENDPOINTS,
    *catalog.ENDPOINTS,
    *catalog_changes.ENDPOINTS,
    *clock.ENDPOINTS,
    *health.ENDPOINTS,
)
"""What the OpenAPI document shows, in its order."""

DOCS = docs.ENDPOINTS
