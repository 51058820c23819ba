"""How often and how much a workspace may ask: plans as data, limiters in memory and in Redis."""
