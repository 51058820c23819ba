import pytest

from tramontane.limits.entities import WorkspaceLimits
from tramontane.limits.figures import Limits, Override, RequestRate, overridden, request_rate
from tramontane.limits.plans import plans

SCALE = Limits(RequestRate(360, 60), 2_000_000, 10_000_000_000)


def test_experiment_is_exactly_one_request_a_second_and_500_000_tokens_a_minute():
    limits = plans()["experiment"].limits

    assert (limits.requests.burst, limits.requests.span) == (1, 1_000_000)
    assert limits.requests.per_minute == 60
    assert limits.tokens_per_minute == 500_000


def test_scale_is_higher_and_unlimited_is_unlimited():
    experiment, scale = plans()["experiment"].limits, plans()["scale"].limits

    assert scale.requests.per_minute > experiment.requests.per_minute
    assert scale.tokens_per_minute > experiment.tokens_per_minute
    assert plans()["unlimited"].limits == Limits()


@pytest.mark.parametrize(("per_minute", "burst"), [(0, 0), (1, 1), (50, 1), (60, 1), (61, 2), (600, 10)])
def test_a_burst_that_nobody_chose_is_what_belongs_to_a_second(per_minute, burst):
    assert request_rate(per_minute, None).burst == burst


@pytest.mark.parametrize(("per_minute", "burst", "span"), [(60, 1, 1_000_000), (7, 2, 17_142_858)])
def test_the_span_of_a_burst_is_never_too_short(per_minute, burst, span):
    assert RequestRate(per_minute, burst).span == span


def test_an_override_takes_the_place_of_its_figures_alone():
    assert overridden(SCALE, Override(tokens_per_minute=7)) == Limits(SCALE.requests, 7, 10_000_000_000)
    assert overridden(SCALE, Override(tokens_per_month="unlimited")).tokens_per_month is None
    assert overridden(SCALE, Override(requests_per_minute="unlimited")).requests is None
    assert overridden(SCALE, Override(burst=5)).requests == RequestRate(360, 5)


def test_a_new_rate_has_a_burst_of_its_own():
    """600 a minute one by one, because the plan's burst was 1, is not what anybody means."""
    experiment = plans()["experiment"].limits

    assert overridden(experiment, Override(requests_per_minute=600)).requests == RequestRate(600, 10)
    assert overridden(experiment, Override(requests_per_minute=600, burst=3)).requests == RequestRate(600, 3)


def test_a_model_goes_before_the_workspace_and_the_workspace_before_the_plan():
    limits = WorkspaceLimits(
        "id",
        "scale",
        {None: Override(tokens_per_minute=5, tokens_per_month=50), "small": Override(tokens_per_minute=9)},
    )

    assert limits.of("large") == Limits(SCALE.requests, 5, 50)
    assert limits.of("small") == Limits(SCALE.requests, 9, 50)


def test_limits_of_zero_are_closed():
    assert SCALE.closed is None
    assert overridden(SCALE, Override(tokens_per_minute=0)).closed == Limits(None, 0, None)
    assert overridden(SCALE, Override(requests_per_minute=0)).closed == Limits(RequestRate(0, 0), None, None)
