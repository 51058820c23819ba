from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tramontane.core.money import (
    MAX_PRICE,
    NANODOLLAR,
    Price,
    cost,
    dollars,
    from_nanodollars,
    round_to_nanodollar,
    to_nanodollars,
    worst_cost,
)
from tramontane.core.usage import Usage

figures = st.decimals(0, MAX_PRICE, allow_nan=False, allow_infinity=False, places=9)
tokens = st.integers(0, 10**12)


@st.composite
def prices(draw):
    """Cached input costs no more than input, as everywhere in the field."""
    input_price = draw(figures)
    share = draw(st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("0.5"), Decimal(1)]))
    return Price(input_price, round_to_nanodollar(input_price * share), draw(figures))


@st.composite
def usages(draw):
    prompt = draw(tokens)
    return Usage(prompt, draw(tokens), draw(st.integers(0, prompt)))


def exact(price, usage):
    """The definition, in fractions: what no rounding has touched."""
    return (
        Fraction(price.input) * (usage.prompt_tokens - usage.cached_tokens)
        + Fraction(price.cached_input) * usage.cached_tokens
        + Fraction(price.output) * usage.completion_tokens
    ) / 1_000_000


def added(one, other):
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.cached_tokens + other.cached_tokens,
    )


@given(prices(), usages())
def test_a_cost_is_the_nearest_nanodollar_and_even_in_the_middle(price, usage):
    nanodollars = exact(price, usage) * 10**9

    assert to_nanodollars(cost(price, usage)) == round(nanodollars)  # round() of a fraction is half to even


@given(prices(), usages(), usages())
def test_costs_add_up_but_for_a_nanodollar(price, one, other):
    apart = cost(price, one) + cost(price, other)

    assert abs(cost(price, added(one, other)) - apart) <= NANODOLLAR


@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), usages(), usages())
def test_prices_of_three_decimals_are_never_rounded(thousandths, one, other):
    price = Price(*(Decimal(figure).scaleb(-3) for figure in thousandths))

    assert cost(price, added(one, other)) == cost(price, one) + cost(price, other)
    assert Fraction(cost(price, one)) == exact(price, one)


@given(prices(), usages(), usages())
def test_more_tokens_never_cost_less(price, usage, more):
    assert cost(price, added(usage, more)) >= cost(price, usage)


@given(prices(), usages(), st.data())
def test_what_is_cached_never_makes_it_dearer(price, usage, data):
    cached = data.draw(st.integers(usage.cached_tokens, usage.prompt_tokens))
    cheaper = Usage(usage.prompt_tokens, usage.completion_tokens, cached)

    assert cost(price, cheaper) <= cost(price, usage)


@given(prices(), usages())
def test_the_worst_cost_is_never_exceeded(price, usage):
    assert cost(price, usage) <= worst_cost(price, usage.prompt_tokens, usage.completion_tokens)


def test_the_worst_cost_holds_when_cached_input_is_dearer():
    price = Price(Decimal(1), Decimal(2), Decimal(0))

    assert worst_cost(price, 1_000_000, 0) == cost(price, Usage(1_000_000, 0, 1_000_000)) == 2


@given(prices(), usages())
def test_a_cost_survives_being_stored(price, usage):
    amount = cost(price, usage)

    assert from_nanodollars(to_nanodollars(amount)) == amount
    assert isinstance(amount, Decimal)


@given(figures)
def test_no_cached_price_means_a_tenth(figure):
    price = Price.of(figure, Decimal(0))

    assert price.cached_input == round(Fraction(figure) / 10, 9)
    assert price.cached_input <= price.input


@pytest.mark.parametrize(
    ("price", "usage", "expected"),
    [
        # The hosted API's arithmetic by hand: Medium 3, 0.40 in and 2.00 out.
        (Price.of(Decimal("0.40"), Decimal("2.00")), Usage(1_000_000, 1_000_000), "2.40"),
        (Price.of(Decimal("0.40"), Decimal("2.00")), Usage(1000, 10, 900), "0.000096"),
        (Price.of(Decimal("0.03"), Decimal("0.11")), Usage(1, 1), "0.00000014"),
        # Half a nanodollar goes to the even neighbour: 0.5 to 0, 1.5 to 2.
        (Price(Decimal("0.0005"), Decimal(0), Decimal(0)), Usage(1), "0"),
        (Price(Decimal("0.0015"), Decimal(0), Decimal(0)), Usage(1), "0.000000002"),
    ],
)
def test_costs_by_hand(price, usage, expected):
    assert cost(price, usage) == Decimal(expected)


@pytest.mark.parametrize("figure", ["-1", "1000001", "0.0000000001", "NaN", "Infinity"])
def test_what_cannot_be_a_price_is_refused(figure):
    with pytest.raises(ValueError, match="must be between 0 and 1000000"):
        Price.of(Decimal(figure), Decimal(0))


@pytest.mark.parametrize("amount", ["0.0000000001", "NaN", "-Infinity"])
def test_what_is_no_nanodollars_is_not_stored_as_some(amount):
    with pytest.raises(ValueError, match="no whole number of nanodollars"):
        to_nanodollars(Decimal(amount))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("12", "$12.00"),
        ("1234.5", "$1,234.50"),
        ("0.000000140", "$0.00000014"),
        ("-1.25", "-$1.25"),
        ("1E+3", "$1,000.00"),
    ],
)
def test_dollars_for_people(amount, text):
    assert dollars(Decimal(amount)) == text
