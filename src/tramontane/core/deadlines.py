"""How long a request may take."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds from the arrival of a request; infinity is no deadline."""

    first_token: float = math.inf
    total: float = math.inf
