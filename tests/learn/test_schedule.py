"""The learning rate falls in one line, and goes on from where it is when the end of a run is moved."""

from __future__ import annotations

import pytest

from mmrl.learn.schedule import Schedule


def shares(schedule: Schedule, first: int, last: int) -> list[float]:
    return [schedule.at(epoch) for epoch in range(first, last)]


def test_a_straight_line_to_the_last_epoch() -> None:
    assert shares(Schedule(5, 0.2), 0, 7) == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2])


def test_a_finished_run_that_is_expanded_keeps_its_last_rate() -> None:
    # lr = 0.003 falls to 2 % of itself, 6e-5: not up again to the rate that the middle of a longer run has
    longer = Schedule(10, 0.02).towards(19, 0.02, 10)
    assert shares(longer, 9, 19) == pytest.approx([0.02] * 10)


def test_a_run_in_work_goes_on_from_where_it_is() -> None:
    # after epochs 0 to 2 of 5 the share is 0.6; the rest falls to 0.2 over epochs 3 to 6
    longer = Schedule(5, 0.2).towards(7, 0.2, 3)
    assert shares(longer, 2, 7) == pytest.approx([0.6, 0.5, 0.4, 0.3, 0.2])
    assert shares(Schedule(5, 0.2).towards(4, 0.2, 3), 2, 4) == pytest.approx([0.6, 0.2])
    assert shares(Schedule(5, 0.2).towards(5, 0.4, 3), 2, 5) == pytest.approx([0.6, 0.5, 0.4])


def test_moving_the_end_twice_or_not_at_all_changes_no_line() -> None:
    line = Schedule(9, 0.25)
    assert line.towards(9, 0.25, 4) is line
    twice = line.towards(20, 0.25, 4).towards(9, 0.25, 4)
    assert shares(twice, 3, 9) == pytest.approx(shares(line, 3, 9))


def test_a_constant_rate_is_the_same_state_whatever_was_expanded() -> None:
    assert Schedule(3, 1.0).towards(6, 1.0, 3) == Schedule(6, 1.0)
