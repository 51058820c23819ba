"""Numbers within bounds, digit by digit."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import groupby
from typing import Final

from tramontane.prompts.grammar.any_json import INTEGER, MAX_DIGITS, NUMBER
from tramontane.prompts.grammar.expressions import (
    DIGIT,
    EMPTY,
    NOTHING,
    Characters,
    Expression,
    Text,
    characters,
    choice,
    repeat,
    sequence,
)

LARGEST: Final = 10**MAX_DIGITS - 1
EXACT_DIGITS: Final = 15
"""So many significant digits keep their order when they are read as a double."""

_PRECISE: Final = Context(prec=2 * MAX_DIGITS)


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range; an end that is not `inclusive` is outside."""

    value: Decimal
    inclusive: bool = True


@dataclass(frozen=True, slots=True)
class _Limit:
    """The digits that are still to be compared with; None once a digit has decided."""

    digits: str | None
    inclusive: bool = True

    def after(self, digit: str, *, is_lower: bool) -> "_Limit | None":
        """What is left when `digit` has been written; None if it is beyond the limit."""
        if self.digits is None:
            return self
        mine = self.digits[:1] or "0"
        if digit == mine:
            return _Limit(self.digits[1:], self.inclusive)
        return _FREE if (digit > mine) is is_lower else None


_ZERO: Final = Bound(Decimal(0))
_FREE: Final = _Limit(None)


def integer_between(lower: Bound | None, upper: Bound | None) -> Expression:
    """Whole numbers within bounds that may be fractions; at most 18 digits long."""
    if lower is None and upper is None:
        return INTEGER
    least = -LARGEST if lower is None else _first_integer(lower)
    most = LARGEST if upper is None else -_first_integer(Bound(-upper.value, upper.inclusive))
    least, most = max(least, -LARGEST), min(most, LARGEST)
    negative = sequence(Text("-"), _natural_between(max(-most, 1), -least)) if least < 0 else NOTHING
    return choice(_natural_between(max(least, 0), most), negative)


def number_between(lower: Bound | None, upper: Bound | None) -> Expression:
    """Numbers within bounds, written without an exponent."""
    if lower is None and upper is None:
        return NUMBER
    mirrored_lower = None if upper is None else _negated(upper)
    mirrored_upper = None if lower is None else _negated(lower)
    return choice(
        _magnitude_between(_from_zero(lower), upper),
        sequence(Text("-"), _magnitude_between(_from_zero(mirrored_lower), mirrored_upper)),
    )


def _from_zero(lower: Bound | None) -> Bound:
    """The bound, or 0 if it is lower still."""
    return lower if lower and (lower.value > 0 or (not lower.value and not lower.inclusive)) else _ZERO


def _negated(bound: Bound) -> Bound:
    return Bound(-bound.value, bound.inclusive)


def _first_integer(lower: Bound) -> int:
    first = int(lower.value.to_integral_value(ROUND_CEILING))
    return first + 1 if not lower.inclusive and first == lower.value else first


def _natural_between(least: int, most: int) -> Expression:
    """From 0 on, both included."""
    if least > most:
        return NOTHING
    options: list[Expression] = []
    whole_lengths: list[int] = []
    for length in range(len(str(least)), len(str(most)) + 1):
        shortest, longest = 10 ** (length - 1) if length > 1 else 0, 10**length - 1
        if length > 1 and least <= shortest and longest <= most:
            whole_lengths.append(length)
            continue
        low, high = max(least, shortest), min(most, longest)
        options.append(_digits(_Limit(str(low)), _Limit(str(high)), length, exactly=True))
    if whole_lengths:
        more = repeat(DIGIT, whole_lengths[0] - 1, whole_lengths[-1] - 1)
        options.append(sequence(characters(("1", "9")), more))
    return choice(*options)


def _magnitude_between(lower: Bound, upper: Bound | None) -> Expression:
    """From 0 on, with decimals."""
    if lower.value > (LARGEST if upper is None else upper.value):
        return NOTHING
    decimals = _decimals(lower, upper)
    first, first_part = _split(lower, decimals, ROUND_CEILING)
    if upper is None or upper.value >= LARGEST:
        larger = _natural_between(first + 1, LARGEST)
        return choice(
            _with_decimals(Text(str(first)), first_part, _FREE, decimals),
            _with_decimals(larger, _FREE, _FREE, decimals),
        )
    last, last_part = _split(upper, decimals, ROUND_FLOOR)
    if first == last:
        return _with_decimals(Text(str(first)), first_part, last_part, decimals)
    return choice(
        _with_decimals(Text(str(first)), first_part, _FREE, decimals),
        _with_decimals(_natural_between(first + 1, last - 1), _FREE, _FREE, decimals),
        _with_decimals(Text(str(last)), _FREE, last_part, decimals),
    )


def _decimals(*bounds: Bound | None) -> int:
    """How many decimals stay on their side of a bound that is not included, once they are a double."""
    digits = [len(str(int(bound.value))) for bound in bounds if bound and bound.value and not bound.inclusive]
    return max(EXACT_DIGITS - max(digits, default=0), 0)


def _split(bound: Bound, decimals: int, rounding: str) -> tuple[int, _Limit]:
    """The whole part and the decimals, rounded inwards where there are too many of them."""
    rounded = bound.value.quantize(Decimal(1).scaleb(-decimals), rounding, _PRECISE)
    inclusive = bound.inclusive or rounded != bound.value
    whole, _, part = f"{rounded:f}".partition(".")
    return int(whole), _Limit(part.rstrip("0"), inclusive)


def _with_decimals(whole: Expression, lower: _Limit, upper: _Limit, decimals: int) -> Expression:
    bare = whole if _may_end(lower, upper) else NOTHING
    options = [
        sequence(Characters(((ord(first), ord(last)),)), _digits(low, high, decimals - 1))
        for first, last, low, high in _steps(lower, upper)
        if decimals
    ]
    return choice(bare, sequence(whole, Text("."), choice(*options)))


def _digits(lower: _Limit, upper: _Limit, most: int, *, exactly: bool = False) -> Expression:
    """Up to (or exactly) `most` digits within both limits."""
    if lower.digits is None and upper.digits is None:
        return repeat(DIGIT, most if exactly else 0, most)
    end = EMPTY if (most == 0 or not exactly) and _may_end(lower, upper) else NOTHING
    if most == 0:
        return end
    steps = (
        sequence(Characters(((ord(first), ord(last)),)), _digits(low, high, most - 1, exactly=exactly))
        for first, last, low, high in _steps(lower, upper)
    )
    return choice(*steps, end)


def _may_end(lower: _Limit, upper: _Limit) -> bool:
    """Whether no further digit (all zeros, that is) is within the limits."""
    reaches = lower.digits is None or (not lower.digits.strip("0") and lower.inclusive)
    stays = upper.digits is None or bool(upper.digits.strip("0")) or upper.inclusive
    return reaches and stays


def _steps(lower: _Limit, upper: _Limit) -> Iterator[tuple[str, str, _Limit, _Limit]]:
    """Runs of digits that may come next, and the limits behind them."""
    steps = []
    for digit in "0123456789":
        low, high = lower.after(digit, is_lower=True), upper.after(digit, is_lower=False)
        if low is not None and high is not None:
            steps.append((digit, low, high))
    for (low, high), group in groupby(steps, key=lambda step: step[1:]):
        digits = [digit for digit, *_ in group]
        yield digits[0], digits[-1], low, high
