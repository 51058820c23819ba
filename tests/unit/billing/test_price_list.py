import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

import pytest

from tramontane.billing.prices.price_list import price_list, read_price_list
from tramontane.catalog.builtin import builtin_models
from tramontane.catalog.fake import CHAT_ID, EMBEDDING_ID
from tramontane.catalog.hosted import hosted_ids
from tramontane.core.money import FREE, Price


def at(year, month, day=1):
    return datetime(year, month, day, tzinfo=UTC).timestamp()


NOW = at(2026, 11)


def per_million(input_price, output_price, cached=None):
    return Price.of(Decimal(input_price), Decimal(output_price), cached and Decimal(cached))


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("mistral-medium-2505", per_million("0.40", "2.00")),
        ("mistral-small-2503", per_million("0.03", "0.11")),
        ("open-mistral-nemo", per_million("0.02", "0.02")),
        ("codestral-2501", per_million("0.20", "0.60")),
        ("mistral-large-2411", per_million("2.00", "6.00")),
    ],
)
def test_the_models_that_the_api_map_names(model, price):
    assert price_list().hosted(model, NOW).price == price


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("mistral-large-latest", per_million("0.5", "1.5")),
        ("mistral-medium-latest", per_million("1.5", "7.5")),
        ("mistral-small-latest", per_million("0.15", "0.6")),
        ("codestral-latest", per_million("0.3", "0.9")),
        ("mistral-embed", per_million("0.1", "0")),
        ("mistral-large-4", per_million("0.68", "2.09", "0.07")),
        ("zai-glm-5-2", per_million("1.4", "4.4", "0.14")),
    ],
)
def test_their_successors(model, price):
    assert price_list().hosted(model, NOW).price == price


@pytest.mark.parametrize(
    ("when", "input_price"),
    [
        (at(2025, 5, 6), None),  # the day before Medium 3
        (at(2025, 5, 7), "0.40"),
        (at(2026, 4) - 1, "0.40"),
        (at(2026, 4), "1.5"),  # Medium 3.5
    ],
)
def test_an_alias_has_the_price_of_what_it_meant_at_the_time(when, input_price):
    price = price_list().hosted("mistral-medium-latest", when)

    assert (price and price.price.input) == (input_price and Decimal(input_price))


@pytest.mark.parametrize("model", [*hosted_ids("generate"), *hosted_ids("embed")])
def test_every_hosted_id_has_a_price_or_a_reason_why_not(model):
    prices = price_list()

    assert (prices.hosted(model, NOW) is None) == (prices.reason_unknown(model) is not None)


@pytest.mark.parametrize("model", [*(model.id for model in builtin_models()), CHAT_ID, EMBEDDING_ID])
def test_what_is_no_mistral_model_is_free_with_a_reason_and_has_no_hosted_price(model):
    listed = price_list().at(model, NOW)

    assert listed.price == FREE
    assert listed.source
    assert price_list().hosted(model, NOW) is None


def test_an_operators_own_model_has_no_price():
    assert price_list().at("my-own-model", NOW) is None


def test_cached_input_costs_a_tenth():
    assert price_list().hosted("mistral-large-latest", NOW).price.cached_input == Decimal("0.05")


def test_every_price_names_where_it_was_read():
    for model in price_list().models():
        listed = price_list().at(model, NOW)
        assert listed.source if listed else price_list().reason_unknown(model)


def test_no_figure_of_the_file_was_ever_a_float():
    text = (files("tramontane.billing") / "data" / "prices.toml").read_text("utf-8")
    figures = [
        entry[name]
        for entry in tomllib.loads(text, parse_float=Decimal)["prices"]
        for name in ("input", "output", "cached_input")
        if name in entry
    ]

    assert all(isinstance(figure, Decimal | int) for figure in figures)
    for model in price_list().models():
        if (listed := price_list().at(model, NOW)) is not None:
            price = listed.price
            assert all(isinstance(f, Decimal) for f in (price.input, price.cached_input, price.output))


@pytest.mark.parametrize("line", ['input = "much"', "input = -1", "input = nan"])
def test_a_price_that_cannot_be_is_refused(line):
    text = (
        'free = []\nunknown = []\n[sources]\na = "A"\n'
        f'[[prices]]\nmodels = ["m"]\nvalid_from = 2025-01-01\n{line}\noutput = 1\nsource = "a"\n'
    )

    with pytest.raises(ValueError, match=r"input|price"):
        read_price_list(text)
