from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laurels.engine.catalog import Catalog
from laurels.engine.days import Days
from laurels.engine.events import Event
from laurels.engine.progress import ManualState, Progress, Stage
from laurels.engine.zones import Zones
from laurels.storage.codec import (
    from_micros,
    maybe_instant,
    maybe_micros,
    pack_data,
    pack_progress,
    pack_zones,
    to_micros,
    unpack_data,
    unpack_progress,
    unpack_zones,
)
from laurels.storage.secrets import decrypted, encrypted, tombstone
from tests.support import MONDAY, at, fold
from tests.support.strategies import catalogs, deliveries, histories

MOMENTS = st.datetimes(datetime(1969, 12, 31), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
DAYS = st.sets(st.integers(719_163, 719_400), max_size=20).map(
    lambda ordinals: Days.span(min(ordinals), max(ordinals)) if ordinals else Days()
)
NAMES = st.text("ab🙂", max_size=3)
MANUAL_STATES = st.builds(
    ManualState,
    st.integers(-(2**53), 2**53),
    st.frozensets(NAMES),
    st.frozensets(NAMES),
    st.frozensets(NAMES),
    st.dictionaries(NAMES, DAYS),
    st.dictionaries(NAMES, DAYS),
    st.dictionaries(NAMES, st.lists(st.tuples(st.integers(0, 800_000), st.integers(1, 9))).map(tuple)),
    DAYS,
)


@given(MOMENTS)
def test_a_time_survives_to_the_microsecond(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment
    assert maybe_instant(maybe_micros(moment)) == moment


def test_a_time_in_another_zone_is_the_same_time() -> None:
    moment = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert from_micros(to_micros(moment)) == moment
    assert from_micros(to_micros(moment)).tzinfo is UTC


def test_none_stays_none() -> None:
    assert (maybe_micros(None), maybe_instant(None)) == (None, None)
    assert (pack_data(None), unpack_data(None)) == (None, None)


def stored(progress: Progress) -> Progress:
    zones = unpack_zones(pack_zones(progress.zones))
    return unpack_progress(pack_progress(progress), progress.points, progress.reached_at, zones, progress.joined_at)


@settings(max_examples=25)
@given(catalogs(), histories(), MANUAL_STATES)
def test_a_progress_survives(catalog: Catalog, events: list[Event], manual: ManualState) -> None:
    progress = fold(catalog, events, Progress(zones=Zones("Asia/Tokyo"), joined_at=MONDAY, manual=manual))
    assert stored(progress) == progress


@pytest.mark.parametrize("beyond", [0, 2**70, -(2**70)])
@pytest.mark.parametrize("cap_reached", [{}, {"message": 1_767_225_600_000_000}])
@pytest.mark.parametrize("stages", [{}, {"a": Stage(), "b": Stage(2, (7, "e"), Progress(totals={"message": 1}))}])
def test_what_few_users_have_survives(beyond: int, cap_reached: dict[str, int], stages: dict[str, Stage]) -> None:
    progress = Progress(beyond=beyond, cap_reached=cap_reached, stages=stages)
    assert stored(progress) == progress


@pytest.mark.parametrize("kinds", [{}, {"coins": (2**53 - 1, -1), "gems": (0, 1_767_225_600_000_000)}])
@pytest.mark.parametrize("by_hand", [{}, {"coins": (-5, 0), "gone": (7, 2**53 - 1)}])
def test_kinds_of_points_survive(kinds: dict[str, tuple[int, int]], by_hand: dict[str, tuple[int, int]]) -> None:
    progress = Progress(kinds=kinds, manual=ManualState(kinds=by_hand))
    assert stored(progress) == progress


def test_nothing_is_stored_of_kinds_of_points_that_a_user_does_not_have() -> None:
    without, with_coins = Progress(manual=ManualState(adjusted=1)), Progress(kinds={"coins": (1, 1)})
    assert msgspec.msgpack.decode(pack_progress(without))[6][-1] == 0, (
        "the last field of the manual state is what was spent"
    )
    assert len(msgspec.msgpack.decode(pack_progress(without))) < len(msgspec.msgpack.decode(pack_progress(with_coins)))


@settings(max_examples=25)
@given(catalogs(), histories(), st.data())
def test_equal_progress_gives_equal_bytes_in_any_order_of_events(
    catalog: Catalog, events: list[Event], data: st.DataObject
) -> None:
    other = fold(catalog, data.draw(deliveries(events)))
    assert pack_progress(other) == pack_progress(fold(catalog, events))


@pytest.mark.parametrize(
    "zones",
    [
        Zones(),
        Zones(default="Asia/Tokyo"),
        Zones("Europe/Berlin"),
        Zones("UTC", ((at("2026-01-05T10:29:00.000001+00:00"), "Asia/Tokyo"), (at("2026-02-01"), "UTC")), "Asia/Tokyo"),
    ],
)
def test_zones_survive(zones: Zones) -> None:
    assert unpack_zones(pack_zones(zones)) == zones


def test_an_unknown_zone_is_stored_as_null() -> None:
    assert pack_zones(Zones()) is None


@pytest.mark.parametrize("one", [1, 1.0, True, "1", None])
@pytest.mark.parametrize("other", [1, 1.0, True, "1", None])
def test_data_that_differs_in_type_gives_other_text(one: object, other: object) -> None:
    assert (pack_data({"x": one}) == pack_data({"x": other})) == (type(one) is type(other))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON | st.text(), max_size=5))
def test_data_survives_and_packs_the_same_again(data: dict[str, object]) -> None:
    again = unpack_data(pack_data(data))
    assert again == data
    assert pack_data(again) == pack_data(dict(reversed(data.items())))


def test_a_tombstone_needs_the_secret() -> None:
    assert tombstone(b"one", "ada") == tombstone(b"one", "ada")
    assert len({tombstone(b"one", "ada"), tombstone(b"two", "ada"), tombstone(b"one", "bob")}) == 3


@given(st.binary(max_size=300))
def test_encrypted_bytes_are_read_back_and_hide_content_and_exact_length(plain: bytes) -> None:
    sealed = encrypted(b"a secret", plain)

    assert decrypted(b"a secret", sealed) == plain
    assert len(sealed) % 64 == 16
    assert len(plain) < 4 or plain not in sealed


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"short",
        b"x" * 16,
        b"x" * 80,
        encrypted(b"another", b"ada"),
        encrypted(b"a secret", b"ada")[:-1],
        encrypted(b"a secret", b"ada") + b"x",
        bytes([encrypted(b"a secret", b"ada")[0] ^ 1]) + encrypted(b"a secret", b"ada")[1:],
    ],
)
def test_bytes_not_encrypted_with_this_secret_are_refused(forged: bytes) -> None:
    with pytest.raises(ValueError, match="not encrypted with this secret"):
        decrypted(b"a secret", forged)
