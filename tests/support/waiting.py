"""Patience: a test waits for what will happen, as long as a slow machine may take."""

import asyncio
import time

PATIENCE = 60


async def eventually(holds):
    """Wait until `holds()` is true."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it has not come true"
        await asyncio.sleep(0.01)
