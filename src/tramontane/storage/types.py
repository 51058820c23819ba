"""Column types that mean more than what the database calls them."""

from decimal import Decimal

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

from tramontane.core.money import from_nanodollars, to_nanodollars


class Nanodollars(TypeDecorator[Decimal]):
    """US dollars, stored as a whole number of nanodollars: exact on every database, in sums too."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, _dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else to_nanodollars(value)

    def process_result_value(self, value: int | Decimal | None, _dialect: Dialect) -> Decimal | None:
        """From the database; PostgreSQL sums up to NUMERIC."""
        return None if value is None else from_nanodollars(value)
