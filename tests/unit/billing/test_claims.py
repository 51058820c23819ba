from collections import defaultdict
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tramontane.billing.spending.claims import Claim, Scope, Spending, SpendingLimit, decide

MONTH = date(2026, 11, 1)
amounts = st.integers(0, 1000).map(lambda nanodollars: Decimal(nanodollars).scaleb(-9))


def claim(amount, workspace_id="w"):
    return Claim("r", "h", "o", workspace_id, MONTH, amount)


def limit(scope_id, amount):
    scope = Scope.ORGANIZATION if scope_id == "o" else Scope.WORKSPACE
    return SpendingLimit(scope, scope_id, amount)


@given(
    st.dictionaries(st.sampled_from(["w", "v", "o"]), amounts), st.lists(st.tuples(amounts, st.booleans()))
)
def test_no_order_of_claims_overruns_any_limit(limits, wanted):
    limits = {scope_id: limit(scope_id, amount) for scope_id, amount in limits.items()}
    accounts = defaultdict(lambda: Spending(Decimal(0), Decimal(0)))

    for amount, ours in wanted:
        before = {account: spending.reserved for account, spending in accounts.items()}
        refusal = decide(claim(amount, "w" if ours else "v"), limits, accounts)
        after = {account: spending.reserved for account, spending in accounts.items()}
        if refusal is not None:
            assert all(after[account] == reserved for account, reserved in before.items())
            assert refusal.reserved + amount > refusal.limit.amount

    for (scope_id, _), spending in accounts.items():
        assert scope_id not in limits or spending.reserved <= limits[scope_id].amount


def test_what_just_fits_is_granted_and_a_nanodollar_more_is_not():
    limits = {"w": limit("w", Decimal(1))}
    accounts = {
        ("w", MONTH): Spending(Decimal("0.5"), Decimal("0.25")),
        ("o", MONTH): Spending(Decimal(9), Decimal(0)),
    }

    assert decide(claim(Decimal("0.250000001")), limits, accounts).limit == limits["w"]
    assert decide(claim(Decimal("0.25")), limits, accounts) is None
    assert accounts["w", MONTH].reserved == Decimal("0.5")
    assert accounts["o", MONTH].reserved == Decimal("0.25")
