"""Reads of the past equal the recorded answers: PAST_READS of them (300; the full proof is 10,000), on both engines."""

from __future__ import annotations

import os
import random

import pytest

from tests.service.test_past_reads import FIRST, SECOND, THIRD, PastReads

READS = int(os.environ.get("PAST_READS", "300"))
FROM = int(os.environ.get("PAST_FROM", "0"))
"""The first history, so that a full proof can be run in parts."""

STEPS = 40
NAMES = [f"e{number}" for number in range(12)]
ACTS = [f"a{number}" for number in range(6)]
ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"]


def step(machine: PastReads, drawn: random.Random) -> None:
    """One random change, or some time."""
    user, act, name, day = drawn.choice(["ada", "bob"]), drawn.choice(ACTS), drawn.choice(NAMES), drawn.randint(-8, 3)
    more, of = drawn.randint(0, 3), drawn.choice(["work", "login"])
    zone, badge = drawn.choice(ZONES), drawn.choice(["two", "rich", "either"])
    kind = drawn.choice(["message", "login"])
    changes = [
        *[lambda: machine.record(user, name, kind, day, more + 1)] * 8,
        *[lambda: machine.change_the_rules(drawn.choice([FIRST, SECOND, THIRD]))] * 3,
        *[lambda: machine.wait(drawn.choice([1, 13, 24, 49]))] * 3,
        *[lambda: machine.reverse(user, name), lambda: machine.undo(user, act)] * 2,
        lambda: machine.undo(user, f"reversal:{name}"),
        lambda: machine.visit(user),
        lambda: machine.say_a_badge(user, act, drawn.choice(["grant", "revocation"]), badge),
        lambda: machine.adjust(user, act, drawn.randint(-60, 90)),
        lambda: machine.spend(user, act, drawn.randint(1, 90)),
        lambda: machine.give_freezes(user, act, 1 + more % 2),
        lambda: machine.pause(user, act, day, more, drawn.random() < 0.5, drawn.choice(["", "login"])),
        lambda: machine.repair(user, act, day, drawn.random() < 0.5, of),
        lambda: machine.correct_the_zone(user, act, min(day, 0), more, zone),
        lambda: machine.excuse(day, more, drawn.choice([None, "eu"])),
        lambda: machine.lift(more),
        lambda: machine.update(user, zone, drawn.choice([None, "eu"])),
        lambda: machine.join(user, -more),
        lambda: machine.give_a_badge_for_a_while(user, act),
        lambda: machine.read_or_not(drawn.random() < 0.7),
    ]
    drawn.choice(changes)()


@pytest.mark.parametrize("kind", ["sqlite-memory", "postgresql"])
def test_recorded_answers_equal_reads_of_the_past(kind: str) -> None:
    machine_of = type("Machine", (PastReads,), {"kind": kind})
    read, revisions, seed = 0, 0, FROM
    while read < READS:
        drawn, machine = random.Random(seed), machine_of()
        machine.begin()
        for _ in range(STEPS):
            step(machine, drawn)
            machine.what_is_stored_is_what_a_rebuild_makes()
        revisions += len(machine.run(machine.laurels.store.catalog_revisions()))
        read, seed = read + len([one for one in machine.read if one[2] != "UserNotFound"]), seed + 1
        machine.teardown()  # reads all of them again
    print(f"{read} answers of the histories {FROM} to {seed - 1}, with {revisions} revisions")  # noqa: T201
    assert revisions > seed - FROM
