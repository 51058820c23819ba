"""Money: US dollars as `Decimal`, never float, and the one rule by which they are rounded."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from typing import Final

from tramontane.core.usage import Usage

NANODOLLAR: Final = Decimal("1e-9")
"""The smallest amount that is kept. Prices have no more decimals either."""

MAX_PRICE: Final = Decimal(1_000_000)
"""USD per million tokens, a dollar a token: whatever is dearer is a typing error."""

ZERO: Final = Decimal(0)
CACHED_SHARE: Final = Decimal("0.1")
"""Of the input price: what the hosted API takes for a cached prompt token."""

# 60 digits hold every sum of prices times counts below 10**30 tokens; the trap makes sure that it is exact.
_EXACT: Final = Context(prec=60, traps=[Inexact, InvalidOperation])
_ROUNDING: Final = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
_PER_MILLION: Final = Decimal(-6)


def is_price(figure: Decimal) -> bool:
    """Whether it can be one of the figures of a `Price`."""
    return figure.is_finite() and ZERO <= figure <= MAX_PRICE and round_to_nanodollar(figure) == figure


def round_to_nanodollar(amount: Decimal) -> Decimal:
    """The nearest nanodollar; from the middle between two, the even one."""
    return amount.quantize(NANODOLLAR, context=_ROUNDING)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, each from 0 to `MAX_PRICE` with at most nine decimals.

    Raises:
        ValueError: a figure is none of these.
    """

    input: Decimal
    cached_input: Decimal
    output: Decimal

    def __post_init__(self) -> None:
        for name, figure in (
            ("input", self.input),
            ("cached input", self.cached_input),
            ("output", self.output),
        ):
            if not is_price(figure):
                raise ValueError(
                    f"the {name} price is {figure}: it must be between 0 and {MAX_PRICE} USD per million "
                    "tokens, with at most nine decimals"
                )

    @classmethod
    def of(cls, input_price: Decimal, output_price: Decimal, cached_input: Decimal | None = None) -> "Price":
        """A price whose cached input costs what the hosted API's does, unless another figure is given."""
        if cached_input is None and input_price.is_finite():
            cached_input = round_to_nanodollar(input_price * CACHED_SHARE)
        return cls(input_price, input_price if cached_input is None else cached_input, output_price)

    @property
    def is_free(self) -> bool:
        """Whether nothing at all costs anything."""
        return not (self.input or self.cached_input or self.output)


FREE: Final = Price(ZERO, ZERO, ZERO)


def cost(price: Price, usage: Usage) -> Decimal:
    """What the request costs in USD. Exact but for one rounding at the end, to the nanodollar."""
    exact = _EXACT.multiply(price.input, Decimal(usage.prompt_tokens - usage.cached_tokens))
    exact = _EXACT.add(exact, _EXACT.multiply(price.cached_input, Decimal(usage.cached_tokens)))
    exact = _EXACT.add(exact, _EXACT.multiply(price.output, Decimal(usage.completion_tokens)))
    return round_to_nanodollar(_EXACT.scaleb(exact, _PER_MILLION))


def worst_cost(price: Price, max_prompt_tokens: int, max_completion_tokens: int) -> Decimal:
    """The most that a request of so many tokens can cost in USD, whatever of its prompt is cached."""
    dearer = max(price.input, price.cached_input)
    worst = Price(dearer, dearer, price.output)
    return cost(worst, Usage(max_prompt_tokens, max_completion_tokens))


def to_nanodollars(amount: Decimal) -> int:
    """A whole number of nanodollars.

    Raises:
        ValueError: the amount has more decimals, or is no number.
    """
    if not amount.is_finite() or round_to_nanodollar(amount) != amount:
        raise ValueError(f"{amount} USD is no whole number of nanodollars")
    return int(amount.scaleb(9, _EXACT))


def from_nanodollars(nanodollars: int | Decimal) -> Decimal:
    """The amount in USD, with all nine decimals."""
    return Decimal(nanodollars).scaleb(-9, _EXACT)


def exact_text(amount: Decimal) -> str:
    """For programs: all decimals that the amount has, never an exponent."""
    return f"{amount.normalize(_EXACT):f}"


def dollars(amount: Decimal, least_decimals: int = 2) -> str:
    """For people: "$0.50", "$0.000123"; without needless zeros beyond `least_decimals`."""
    sign = "-" if amount < 0 else ""
    whole, _, decimals = f"{abs(amount):f}".partition(".")
    decimals = decimals.rstrip("0").ljust(least_decimals, "0")
    return f"{sign}${int(whole):,}.{decimals}" if decimals else f"{sign}${int(whole):,}"
