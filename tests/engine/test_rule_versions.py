"""Versions of point rules as a revision stores them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.rule_versions import NO_PAST, EarlierRule, Past, read_past, text_of
from laurels.errors import CatalogError
from tests.support import catalog

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), max_size=9)
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | TEXTS
    | st.floats(allow_nan=False)
    | st.dates(date(1970, 1, 1))
    | st.datetimes(datetime(1970, 1, 1)),  # noqa: DTZ001  # TOML has local times, too
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
INSTANTS = st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
EARLIER = st.builds(
    EarlierRule,
    st.builds(lambda name, more: {**more, "id": name}, TEXTS, st.dictionaries(TEXTS, VALUES, max_size=3)),
    st.none() | INSTANTS,
    INSTANTS,
)


@given(st.builds(Past, st.dictionaries(TEXTS, INSTANTS, max_size=3), st.lists(EARLIER, max_size=3).map(tuple)))
def test_what_is_stored_is_read_as_it_was(past: Past) -> None:
    assert read_past(text_of(past)) == past


def test_a_catalog_without_earlier_rules_stores_nothing() -> None:
    assert text_of(NO_PAST) == ""
    assert read_past("") is NO_PAST
    assert catalog().with_past(NO_PAST) == catalog()


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "since = 1",
        "[since]\npay = 1",
        "[since]\npay = 2026-01-01T00:00:00",
        "[[earlier]]\nrule = { id = 'pay' }",
        "[[earlier]]\nuntil = 2026-01-01T00:00:00Z",
        "[[earlier]]\nuntil = 2026-01-01T00:00:00Z\nrule = {}",
        "earlier = [1]",
        "[[earlier]]\nuntil = 2026-01-01T00:00:00Z\nrule = { id = [1] }",
    ],
)
def test_a_text_that_laurels_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(CatalogError, match="the earlier rules: cannot be read"):
        read_past(text)


def test_an_earlier_rule_that_this_version_cannot_read_is_named() -> None:
    until = datetime(2026, 1, 1, tzinfo=UTC)
    rule: dict[str, Any] = {"id": "pay", "events": ["m"], "amount": 0}

    with pytest.raises(CatalogError, match=r"the earlier points 'pay'\.amount: must be a whole number of 1 or more"):
        catalog().with_past(Past({}, (EarlierRule(rule, None, until),)))
