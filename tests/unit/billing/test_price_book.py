from decimal import Decimal

import pytest

from tramontane.billing.entities import PriceKey
from tramontane.billing.prices.price_book import PriceBook
from tramontane.billing.prices.price_list import price_list
from tramontane.billing.prices.repository import EVERY_WORKSPACE, PriceOverride
from tramontane.core.money import FREE, Price

NOW = 1_795_000_000
OURS, OTHERS = "1" * 32, "2" * 32
ASKED, SERVED = "mistral-large-2411", "my-model"
LISTED = Price.of(Decimal(2), Decimal(6))


def price(figure):
    return Price.of(Decimal(figure), Decimal(figure))


def override(workspace_id, model, figure, valid_from=0):
    return PriceOverride(workspace_id, model, valid_from, None if figure is None else price(figure))


def looked_up(*overrides, asked=ASKED, at=NOW):
    applied = PriceBook(price_list(), overrides).price(OURS, PriceKey(asked, SERVED), at)
    return applied and applied.price


def test_a_model_that_is_not_listed_has_the_price_of_its_listed_name():
    book = PriceBook(price_list(), [])
    key = PriceKey("large-elsewhere", "large-elsewhere", ASKED)

    assert book.price(OURS, key, NOW).price == LISTED
    own = PriceBook(price_list(), [override(EVERY_WORKSPACE, "large-elsewhere", 4)])
    assert own.price(OURS, key, NOW).price == price(4)
    # What the operator takes for a stand-in of that name is not what the model behind it costs.
    stand_in = PriceBook(price_list(), [override(EVERY_WORKSPACE, ASKED, 0)])
    assert stand_in.price(OURS, key, NOW).price == LISTED


def test_without_overrides_the_list_rules():
    assert looked_up() == LISTED


@pytest.mark.parametrize("shown", range(1, 5))
def test_the_order_of_look_up(shown):
    """The last of those that are there is the first in the order."""
    order = [
        override(EVERY_WORKSPACE, SERVED, 4),
        override(EVERY_WORKSPACE, ASKED, 3),
        override(OURS, SERVED, 2),
        override(OURS, ASKED, 1),
    ]

    assert looked_up(*order[:shown]) == order[shown - 1].price


def test_another_workspaces_price_is_not_ours():
    assert looked_up(override(OTHERS, ASKED, 1)) == LISTED


def test_an_override_holds_from_its_moment_on():
    overrides = [override(OURS, ASKED, 1, NOW - 10), override(OURS, ASKED, 3, NOW + 10)]

    assert looked_up(*overrides, at=NOW - 11) == LISTED
    assert looked_up(*overrides, at=NOW - 10) == looked_up(*overrides, at=NOW + 9) == price(1)
    assert looked_up(*overrides, at=NOW + 10) == price(3)


def test_an_override_that_is_taken_back_uncovers_the_next():
    taken_back = [override(OURS, ASKED, 1, 1), override(OURS, ASKED, None, 2)]

    assert looked_up(*taken_back) == LISTED
    assert looked_up(*taken_back, override(EVERY_WORKSPACE, ASKED, 5)) == price(5)


def test_an_own_model_is_unpriced_until_the_operator_says_otherwise():
    assert looked_up(asked=SERVED) is None
    assert looked_up(override(EVERY_WORKSPACE, SERVED, 0), asked=SERVED) == FREE


def test_what_the_hosted_api_takes_is_nobodys_to_override():
    book = PriceBook(price_list(), [override(OURS, ASKED, 1)])

    assert book.hosted(ASKED, NOW) == LISTED
    assert book.hosted(SERVED, NOW) is None
