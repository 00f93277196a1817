"""Spending: what is checked before points are given, taken back or spent by hand."""

from __future__ import annotations

from laurels.engine.events import MAX_NUMBER
from laurels.errors import AdjustmentRefused, InvalidInput


def check_spend(balance: int, amount: int, many: str) -> None:
    """Raises InvalidInput or AdjustmentRefused unless so much of the balance can be spent. `many` is the word for points."""
    if amount < 0:
        raise InvalidInput("amount", f"must be above 0 with 'spend': how many {many} to spend, such as 50")
    if amount > balance:
        fix = f"spend at most {balance}" if balance > 0 else f"{many} must be earned first"
        raise AdjustmentRefused(f"the balance is {balance}, which is less than {amount}; {fix}")


def check_earned(earned: int, amount: int, many: str) -> None:
    """Points below 0, which reversals can leave, may be raised but not lowered; those above MAX_NUMBER the reverse.

    Raises AdjustmentRefused.
    """
    after = earned + amount
    if not min(earned, 0) <= after <= max(earned, MAX_NUMBER):
        least, most = -max(earned, 0), max(MAX_NUMBER - earned, 0)
        raise AdjustmentRefused(f"it would leave {after} {many}; use an amount from {least} to {most}, but not 0")
