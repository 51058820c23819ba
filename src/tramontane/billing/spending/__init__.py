"""Spending limits: the worst case is held back before a request runs, and what it cost is settled after."""
