import pytest

from hypocenter.errors import BadInputError
from hypocenter.probes.schedule import FIRST_STEPS, Schedule


def test_every_step_by_default():
    assert all(Schedule().full(step) for step in range(1000))


def test_every_25_steps_after_the_first_ten():
    full = [step for step in range(101) if Schedule(every=25).full(step)]
    assert full == [*range(FIRST_STEPS), 25, 50, 75, 100]


def test_the_step_after_the_guard_fired_is_full():
    schedule = Schedule(every=100)
    full = [step for step in range(40, 50) if schedule.full(step, guard_fired=43)]
    assert full == [44]


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_every_must_be_a_whole_number(every):
    with pytest.raises(BadInputError, match="whole number from 1") as error:
        Schedule(every=every)
    assert repr(every) in str(error.value)


def test_a_budget_is_refused_rather_than_ignored():
    with pytest.raises(BadInputError, match="5"):
        Schedule(budget=5)
