"""What answers cost: prices, the ledger, spending limits, usage."""
