"""The ledger: one row a request, written in groups."""
