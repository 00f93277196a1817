from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from laurels import (
    BlockingLaurels,
    Event,
    EventResult,
    NumberChange,
    SettingsError,
    StoreUnavailable,
    UserNotFound,
    ZoneChangeTooSoon,
)
from laurels.testing import TestClock
from tests.support import MONDAY


def test_every_method_returns_when_it_is_done() -> None:
    with BlockingLaurels("sqlite://", clock=TestClock(MONDAY)) as laurels:
        assert laurels.record(Event("ada", "e-1", "message.sent", quantity=100)).points == NumberChange(
            before=0, after=100
        )
        assert [type(one) for one in laurels.record_many([Event("ada", "e-2", "x")])] == [EventResult]
        assert laurels.update_user("ada", name="Ada").name == "Ada"
        assert laurels.user("ada").points == 100
        assert laurels.profile("ada", login=True, include=["rank"]).streak == 1
        assert laurels.rank("ada").rank == 1
        assert [line.name for line in laurels.leaderboard().standings] == ["Ada"]
        assert laurels.leaderboard("weekly", "current", limit=1, around="ada", me="ada").me is not None
        assert [board.id for board in laurels.leaderboards().leaderboards] == ["points", "weekly", "monthly"]
        assert len(laurels.history("ada").entries) == 3
        assert [one.name for one in laurels.streaks("ada").streaks] == ["login"]
        assert laurels.explain("ada", "message_100").earned
        laurels.erase_user("ada")
        with pytest.raises(UserNotFound):
            laurels.user("ada")


def test_errors_come_through() -> None:
    with BlockingLaurels("sqlite://") as laurels:
        for zone in ("UTC", "Asia/Tokyo"):
            laurels.update_user("ada", time_zone=zone)
        with pytest.raises(ZoneChangeTooSoon):
            laurels.update_user("ada", time_zone="UTC")


def test_many_threads_share_one(tmp_path: Path) -> None:
    events = [Event("ada", f"e-{i}", "message.sent") for i in range(100)]
    with BlockingLaurels(f"sqlite:///{tmp_path / 'laurels.db'}") as laurels:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(laurels.record, events * 4))
        assert sum(not answer.duplicate for answer in answers) == 100
        assert sum(len(answer.awards) for answer in answers if not answer.duplicate) == 1
        assert laurels.profile("ada").points == 100


def test_closing_twice_is_harmless_and_ends_the_thread() -> None:
    before = threading.active_count()
    laurels = BlockingLaurels("sqlite://")
    assert threading.active_count() > before
    laurels.close()
    laurels.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(("database", "error"), [("mysql://", SettingsError), ("sqlite:////", StoreUnavailable)])
def test_what_cannot_be_opened_raises_and_leaves_no_thread(database: str, error: type[Exception]) -> None:
    before = threading.active_count()
    with pytest.raises(error):
        BlockingLaurels(database)
    assert threading.active_count() == before
