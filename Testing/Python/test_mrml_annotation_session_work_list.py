"""From case to case: the work list, the way back through what was opened, and the clock that counts only work."""

from __future__ import annotations

import pytest

from small_project import StepClock, make_project, save_mask
from small_session import HandClock, addByHand, addPrediction, newSession
from SpiderSegLib.active_learning import Strategy
from SpiderSegLib.corrections import Status, hold
from SpiderSegLib.errors import ImageReadError, ProjectError
from SpiderSegLib.mrml.annotation_session import IDLE_S, ActivityTimer

pytestmark = pytest.mark.mrml

NAMES = ("a_t2", "b_t2", "c_t2", "d_t2")

#: Equal cases stand by name, so that the list is known.
BY_NAME = Strategy.OLDEST


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project", NAMES)


@pytest.fixture
def session(mrml, project):
    return newSession(mrml, project)


def opened(case):
    return None if case is None else case.series


# Next


def test_next_begins_with_the_first_of_the_list_and_goes_down_it(session):
    assert [ranked.candidate.series for ranked in session.workList(BY_NAME)] == list(NAMES)
    assert [opened(session.next(BY_NAME)) for _ in range(5)] == ["a_t2", "b_t2", "c_t2", "d_t2", "a_t2"]


def test_next_goes_on_from_a_series_that_was_chosen_in_the_list(session):
    session.open("c_t2")
    assert opened(session.next(BY_NAME)) == "d_t2"


def test_after_a_series_is_done_the_first_that_waits_is_next(session):
    session.open("b_t2")
    addByHand(session.current, "L5")
    session.save(Status.DONE)
    assert opened(session.next(BY_NAME)) == "a_t2"


def test_next_after_closing_goes_on_from_what_was_open(session):
    session.open("b_t2")
    session.close()
    assert opened(session.next(BY_NAME)) == "c_t2"


def test_next_skips_what_others_hold(session, project):
    hold(project.folder, "b_t2", "Bob", StepClock("2026-03-02T08:00:00+00:00"))
    session.open("a_t2")
    assert opened(session.next(BY_NAME)) == "c_t2"


def test_there_is_no_next_when_nothing_else_waits(session, project):
    for name in NAMES[1:]:
        save_mask(project, series=name)
    case = session.open("a_t2")
    assert session.next() is None
    assert session.current is case


def test_next_takes_the_strategy_that_is_asked_for(session, project):
    addPrediction(project, "c_t2")
    save_mask(project, series="d_t2", status=Status.IN_PROGRESS, values=())
    assert opened(session.next(Strategy.RANDOM)) == session.workList(Strategy.RANDOM)[0].candidate.series


def test_a_series_that_can_t_be_opened_is_passed_over_with_a_message(session, project):
    project.folder.image("b_t2").unlink()
    session.open("a_t2")
    case = session.next(BY_NAME)
    assert case.series == "c_t2"
    assert case.messages[0].startswith("b_t2 was passed over: ")


def test_when_none_can_be_opened_the_present_case_stays_and_the_reasons_are_told(session, project):
    case = session.open("a_t2")
    for name in NAMES[1:]:
        project.folder.image(name).unlink()
    with pytest.raises(ProjectError, match=r"b_t2 was passed over: .*d_t2 was passed over: "):
        session.next(BY_NAME)
    assert session.current is case


# Previous and back


def test_previous_goes_through_what_was_opened_and_back_returns(session):
    for name in ("a_t2", "c_t2", "b_t2"):
        session.open(name)
    assert [opened(session.previous()) for _ in range(3)] == ["c_t2", "a_t2", None]
    assert session.current.series == "a_t2"
    assert opened(session.back()) == "b_t2"
    assert session.back() is None
    assert opened(session.previous()) == "c_t2"


def test_whether_there_is_a_way_back_or_on_is_known_beforehand(session):
    assert (session.hasPrevious, session.hasLater) == (False, False)
    session.open("a_t2")
    session.open("b_t2")
    assert (session.hasPrevious, session.hasLater) == (True, False)
    session.previous()
    assert (session.hasPrevious, session.hasLater) == (False, True)


def test_what_is_opened_on_the_way_back_comes_last(session):
    for name in ("a_t2", "b_t2"):
        session.open(name)
    session.previous()
    session.open("d_t2")
    assert session.back() is None
    assert [opened(session.previous()) for _ in range(3)] == ["b_t2", "a_t2", None]


def test_a_series_opened_again_counts_once(session):
    session.open("a_t2")
    session.open("b_t2")
    session.open("b_t2")
    assert opened(session.previous()) == "a_t2"


def test_a_series_that_can_t_be_opened_any_more_does_not_move_the_place(session, project):
    session.open("a_t2")
    session.open("b_t2")
    image = project.folder.image("a_t2")
    content = image.read_bytes()
    image.unlink()
    with pytest.raises(ImageReadError):
        session.previous()
    image.write_bytes(content)
    assert opened(session.previous()) == "a_t2"


# The timer


def timer():
    clock = HandClock()
    return clock, ActivityTimer(clock)


def test_touches_within_a_minute_add_up():
    clock, found = timer()
    found.restart()
    for seconds in (10, 50, 59, 1):
        clock.go(seconds)
        found.touch()
    assert found.minutes == pytest.approx(2.0)
    clock.go(30)
    assert found.minutes == pytest.approx(2.5)


def test_it_stands_still_a_minute_after_the_last_touch_and_goes_on_with_the_next():
    clock, found = timer()
    found.restart()
    clock.go(IDLE_S - 1)
    assert not found.isPaused
    clock.go(3600)
    assert found.isPaused
    assert found.minutes == pytest.approx(1.0)
    found.touch()
    assert not found.isPaused
    clock.go(30)
    assert found.minutes == pytest.approx(1.5)


def test_before_a_restart_and_after_a_stop_it_counts_nothing():
    clock, found = timer()
    found.touch()
    clock.go(10)
    assert (found.minutes, found.isPaused) == (0.0, True)
    found.restart(minutes=7.0)
    clock.go(30)
    assert found.minutes == pytest.approx(7.5)
    found.stop()
    clock.go(30)
    found.touch()
    assert found.minutes == 0.0


def test_a_clock_that_goes_backwards_takes_nothing_away():
    clock, found = timer()
    found.restart()
    clock.go(30)
    found.touch()
    clock.go(-600)
    assert found.minutes == pytest.approx(0.5)


def test_every_case_has_minutes_of_its_own(mrml, project):
    clock = HandClock()
    session = newSession(mrml, project, monotonic=clock)
    assert session.timer.isPaused
    session.open("a_t2")
    clock.go(30)
    session.open("b_t2")
    assert session.timer.minutes == 0.0
    clock.go(15)
    assert session.timer.minutes == pytest.approx(0.25)
    session.close()
    clock.go(15)
    assert session.timer.minutes == 0.0
