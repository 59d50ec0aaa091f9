"""The one client of the Market that tests of every route import and synchronise."""

from soloist.examples.market import MARKET_ID
from tests.market.fair import Fair

LONG_AGO = "2024-01-02T09:00:00Z"


def stocked(market: Fair) -> Fair:
    """The Market with one client, who has paid and rated a completed contract."""
    market.put(
        "clients",
        MARKET_ID,
        type="COMPANY",
        companyName="Fair Corporation",
        email="office@fair-corporation.example",
        updatedAt=LONG_AGO,
    )
    of_client = {"clientId": MARKET_ID, "updatedAt": LONG_AGO}
    done = {"status": "COMPLETED", "startedAt": LONG_AGO, "completedAt": LONG_AGO}
    market.put("contracts", "contract-1", title="Website", **done, **of_client)
    paid = {"gross": 1000, "fee": 100, "net": 900, "currency": "USD"}
    market.put("payments", "payment-1", status="PAID", paidAt=LONG_AGO, **paid, **of_client)
    market.put("reviews", "review-1", rating=5, reviewedAt=LONG_AGO, **of_client)
    return market
