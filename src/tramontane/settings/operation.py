"""What the server lets be seen of itself."""

from typing import Literal

from pydantic import BaseModel, Field


class OperationSettings(BaseModel):
    """For those who run it."""

    metrics: Literal["admin", "open", "off"] = Field(
        "admin",
        description="Who may read `/metrics`: programs of this machine and admin keys (`admin`), everybody "
        "(`open`), or nobody; see docs/observability.md.",
    )
