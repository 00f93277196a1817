"""Policies: what a change of the catalog means for what was paid before."""

from __future__ import annotations

KEEP, RECOMPUTE = "keep", "recompute"
PAST = (KEEP, RECOMPUTE)
"""What was paid before stays as it was; or the ledger compensates the difference."""
