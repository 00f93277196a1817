"""`BlockingLaurels` in whole programs: how they exit, and what happens when they fork."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from laurels import BlockingLaurels
from tests.support import LASTING_ENGINES

BOUND_SECONDS = 90
"""No test measures a time: what has not ended after this long hangs."""

OPEN = """
import asyncio, atexit, os, signal, sys, threading, time
from laurels import BlockingLaurels, Event, LaurelsError
laurels = BlockingLaurels(sys.argv[1])
def record(name):
    return laurels.record(Event("ada", name, "message.sent"))
"""

FORK = """
def in_child(work):
    '''The exit status of a child that does this work: 0 when it answers, 3 for an error of Laurels, which it prints.'''
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
        os._exit(0)
    except LaurelsError as error:
        print(error, flush=True)
        os._exit(3)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        os._exit(4)
"""

lasting = pytest.mark.parametrize("engine", LASTING_ENGINES, indirect=True)
in_memory = pytest.mark.parametrize("engine", ["sqlite-memory"], indirect=True)


def started(database: str, script: str) -> subprocess.Popen[str]:
    """A program that opens `laurels` and runs this script; that scripts with threads fork is no news to the tests."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", OPEN + FORK + script, database],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit status, what it printed, and its errors; a program that hangs is killed, which fails the test."""
    try:
        printed, errors = program.communicate(timeout=BOUND_SECONDS)
    finally:
        program.kill()
    return program.returncode, printed, errors


def printed_by(database: str, script: str) -> str:
    status, printed, errors = ended(started(database, script))
    assert (status, errors) == (0, "")
    return printed


def stored(database: str) -> int:
    """How many events the database has."""
    with BlockingLaurels(database) as laurels:
        return laurels.run(lambda inner: inner.store.counts()).events


# ---- exits ------------------------------------------------------------------------------------


def test_a_program_that_never_closes_still_exits(database: str) -> None:
    assert printed_by(database, "print(record('e-1').duplicate)") == "False\n"


def test_a_program_that_raises_still_exits(database: str) -> None:
    status, _, errors = ended(started(database, "record('e-1'); 1 / 0"))

    assert status == 1
    assert errors.count("Traceback") == 1
    assert "ZeroDivisionError" in errors


@lasting
def test_threads_that_go_on_after_the_main_thread_can_still_record(database: str) -> None:
    script = """
def later():
    threading.main_thread().join()
    for index in range(20):
        record(f"e-{index}")
threading.Thread(target=later).start()
"""
    printed_by(database, script)

    assert stored(database) == 20


@lasting
def test_what_a_program_records_while_it_exits_is_written(database: str) -> None:
    printed_by(database, "atexit.register(record, 'e-1')")

    assert stored(database) == 1


def test_calls_after_the_exit_has_closed_it_are_refused(database: str) -> None:
    script = """
import laurels.service.blocking
def late():
    try:
        record("e-1")
    except LaurelsError as error:
        print(error)
atexit.unregister(laurels.service.blocking._close_all)
atexit.register(late)
atexit.register(laurels.service.blocking._close_all)
"""
    script = script.replace("laurels.service.blocking", "blocking").replace(
        "import blocking", "import laurels.service.blocking as blocking"
    )

    assert printed_by(database, script) == "this BlockingLaurels is closed\n"


@lasting
def test_what_daemon_threads_have_acknowledged_outlives_an_exit_in_the_middle_of_their_calls(database: str) -> None:
    script = """
acknowledged = []
def forever(name):
    for index in range(10**9):
        record(f"{name}-{index}")
        acknowledged.append(index)
for name in range(8):
    threading.Thread(target=forever, args=[name], daemon=True).start()
while len(acknowledged) < 100:
    time.sleep(0.01)
threading.excepthook = lambda args: None if isinstance(args.exc_value, LaurelsError) else sys.__excepthook__(*args[:3])
atexit.register(lambda: print(len(acknowledged)))
"""
    acknowledged = int(printed_by(database, script))

    assert 100 <= acknowledged <= stored(database)


@pytest.mark.parametrize(
    "waits", ["while True: record('e-1')", "time.sleep(3600)", "laurels.run(lambda _: asyncio.sleep(3600))"]
)
def test_one_interrupt_ends_a_program(database: str, waits: str) -> None:
    program = started(database, f"record('e-0'); print('ready', flush=True); {waits}".replace("; while", "\nwhile"))
    assert program.stdout
    assert program.stdout.readline() == "ready\n"

    program.send_signal(signal.SIGINT)

    status, _, errors = ended(program)
    assert status == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")


def test_a_signal_handler_may_close_in_the_middle_of_a_call(database: str) -> None:
    script = """
def on_alarm(*_):
    laurels.close()
    sys.exit(0)
signal.signal(signal.SIGALRM, on_alarm)
signal.setitimer(signal.ITIMER_REAL, 0.3)
while True:
    record("e-1")
"""
    assert printed_by(database, script) == ""


# ---- forks ------------------------------------------------------------------------------------


@lasting
def test_a_forked_process_uses_its_own_connections_and_the_parent_continues(database: str) -> None:
    script = """
record("before")
def work():
    assert not record("child").duplicate
    assert record("before").duplicate
    laurels.close()
for _ in range(2):
    print(in_child(lambda: record("before")))
print(in_child(work))
print(record("child").duplicate, record("after").duplicate)
"""
    assert printed_by(database, script) == "0\n0\n0\nTrue False\n"
    assert stored(database) == 3


@lasting
def test_no_thread_is_open_during_a_fork_so_python_has_nothing_to_warn_of(database: str) -> None:
    script = """
before = threading.active_count()
print(in_child(lambda: None), before > 1, threading.active_count())
"""
    assert printed_by(database, script) == "0 True 1\n"


@lasting
def test_a_process_forked_by_a_forked_process_answers(database: str) -> None:
    assert printed_by(database, "print(in_child(lambda: in_child(lambda: record('e')) and sys.exit(1)))") == "0\n"
    assert stored(database) == 1


@lasting
def test_a_child_of_multiprocessing_answers_and_ends(database: str) -> None:
    script = """
import multiprocessing
record("before")
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map(record, [f"e-{index}" for index in range(20)])
record("after")
"""
    printed_by(database, script)

    assert stored(database) == 22


@lasting
def test_forks_in_the_middle_of_calls_of_other_threads_leave_both_sides_working(database: str) -> None:
    script = """
stop = threading.Event()
recorded = []
def calling(name):
    while not stop.is_set():
        recorded.append(record(f"{name}-{len(recorded)}"))
threads = [threading.Thread(target=calling, args=[name]) for name in range(4)]
for thread in threads:
    thread.start()
print({in_child(lambda: record(f"child-{number}")) for number in range(20)})
stop.set()
for thread in threads:
    thread.join()
print(len({one.id for one in recorded}))
"""
    statuses, count = printed_by(database, script).splitlines()

    assert statuses == "{0}"
    assert stored(database) == 20 + int(count)


@lasting
def test_two_threads_may_fork_at_once(database: str) -> None:
    script = """
other = BlockingLaurels(sys.argv[1])
def work():
    record("e")
    other.record(Event("bob", "e", "x"))
statuses = []
threads = [threading.Thread(target=lambda: [statuses.append(in_child(work)) for _ in range(5)]) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
work()
print(len(statuses), set(statuses))
"""
    assert printed_by(database, script) == "20 {0}\n"


@lasting
def test_a_fork_does_not_wait_without_limit_for_a_call_and_the_child_gets_an_error_at_once(database: str) -> None:
    script = """
import laurels.service.blocking as blocking
blocking.FORK_SECONDS = 0.05
go_on, began = threading.Event(), threading.Event()
async def long_call(inner):
    began.set()
    while not go_on.is_set():
        await asyncio.sleep(0.01)
    return await inner.record(Event("ada", "long", "message.sent"))
answers = []
thread = threading.Thread(target=lambda: answers.append(laurels.run(long_call)))
thread.start()
began.wait()
print(in_child(lambda: record("child")))
go_on.set()
thread.join()
print(answers[0].duplicate, record("after").duplicate, in_child(lambda: record("child")))
"""
    first, *rest = printed_by(database, script).splitlines()

    assert first.startswith("this process was forked in the middle of a call")
    assert rest == ["3", "False False 0"]


@in_memory
def test_a_forked_process_cannot_reach_a_database_in_memory_and_the_error_names_the_fix(database: str) -> None:
    script = """
record("before")
print(in_child(lambda: record("child")))
print(in_child(lambda: (laurels.close(), BlockingLaurels("sqlite://").record(Event("ada", "own", "x")))))
print(record("before").duplicate)
"""
    error, *rest = printed_by(database, script).splitlines()

    assert "use a file, such as 'sqlite:///laurels.db'" in error
    assert rest == ["3", "0", "True"]


@in_memory
def test_a_child_that_exits_in_full_leaves_the_loop_of_its_parent_alone(database: str) -> None:
    script = """
child = os.fork()
if child == 0:
    sys.exit(0)  # frees what it inherited, the event loop among it
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print([record(f"e-{index}").duplicate for index in range(3)])
"""
    assert printed_by(database, script) == "0\n[False, False, False]\n"


@lasting
def test_a_child_process_that_runs_code_before_exec_answers_and_so_does_the_parent(database: str) -> None:
    script = """
import subprocess
print(subprocess.run(["true"], preexec_fn=lambda: None).returncode, record("e-1").duplicate)
"""
    assert printed_by(database, script) == "0 False\n"


@lasting
def test_a_program_closed_before_a_fork_stays_closed_after_it(database: str) -> None:
    assert printed_by(database, "laurels.close(); print(in_child(lambda: record('e')))") == (
        "this BlockingLaurels is closed\n3\n"
    )


def test_a_forked_process_that_was_not_announced_gets_an_error_at_once(tmp_path: Path) -> None:
    script = """
import ctypes
child = ctypes.PyDLL(None).fork()  # as servers written in C fork: Python's functions around a fork do not run
if child == 0:
    try:
        record("e")
    except LaurelsError as error:
        os.write(1, str(error).encode())
    os._exit(0)
os.waitpid(child, 0)
"""
    assert "open one after the fork" in printed_by(f"sqlite:///{tmp_path / 'laurels.db'}", script)
