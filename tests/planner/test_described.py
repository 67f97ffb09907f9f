"""Traffic that was described has what was asked for."""

from itertools import pairwise

import pytest

from hotdesk.planner.described import DAY, Description, described, is_office_hour


def description(**more: object) -> Description:
    given: dict[str, object] = {
        "projects": 20,
        "users": 10,
        "jobs_per_user_day": 10.0,
        "job_minutes": 6.0,
        "corrections": 0.2,
        **more,
    }
    return Description(**given)  # type: ignore[arg-type]  # Of the right types, by name.


@pytest.mark.parametrize("has_office_hours", [False, True])
@pytest.mark.parametrize("has_bursts", [False, True])
def test_as_many_jobs_of_such_a_length_come_as_were_asked_for(
    has_office_hours: bool,  # noqa: FBT001 - a parameter
    has_bursts: bool,  # noqa: FBT001 - a parameter
) -> None:
    jobs = [*described(description(has_office_hours=has_office_hours, has_bursts=has_bursts), 1)]

    days = 20 if has_office_hours else 28
    assert len(jobs) == pytest.approx(200 * 10 * days, rel=0.03)
    assert sum(job.seconds for job in jobs) / len(jobs) == pytest.approx(360, rel=0.05)
    assert sum(job.is_correction for job in jobs) / len(jobs) == pytest.approx(0.2 / 1.2, rel=0.05)
    assert len({job.desk for job in jobs}) == 200


def test_it_comes_in_its_order_and_is_the_same_for_the_same_seed() -> None:
    asked = description(has_bursts=True, has_office_hours=True)
    jobs = [*described(asked, 7)]

    assert all(one.at <= two.at for one, two in pairwise(jobs))
    assert jobs == [*described(asked, 7)]
    assert jobs != [*described(asked, 8)]


def test_office_hours_are_those_of_working_days() -> None:
    jobs = [*described(description(has_office_hours=True, corrections=0.0), 1)]

    assert all(is_office_hour(job.at) for job in jobs)
    assert not is_office_hour(5 * DAY + 12 * 3600)
    assert {int(job.at // DAY) % 7 for job in jobs} == {0, 1, 2, 3, 4}
