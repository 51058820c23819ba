"""Fields that chat and fill-in-the-middle share, with the hosted ranges."""

from typing import Annotated, Any, Final

from pydantic import Field

from tramontane.schemas.base import Items

MAX_TEMPERATURE: Final = 1.5
MAX_SEED: Final = 2**64 - 1

Temperature = Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)] | None
"""None is the model's own default."""
TopP = Annotated[float, Field(gt=0, le=1)] | None
TokenCount = Annotated[int, Field(ge=0)] | None
Stop = str | Items[str] | None
"""Text that ends the answer and is not part of it."""
RandomSeed = Annotated[int, Field(ge=0, le=MAX_SEED)] | None
Penalty = Annotated[float, Field(ge=-2, le=2)] | None
Metadata = dict[str, Any] | None
"""Free; accepted and not used."""
