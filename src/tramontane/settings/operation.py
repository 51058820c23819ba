"""What the server lets be seen of itself."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tramontane.settings.values import Duration, Unset


class OperationSettings(BaseModel):
    """For those who run it."""

    metrics: Literal["admin", "open", "off"] = Field(
        "admin",
        description="Who may read `/metrics`: programs of this machine and admin keys (`admin`), everybody "
        "(`open`), or nobody; see docs/observability.md.",
    )
    otlp_endpoint: Annotated[str | None, Unset("no traces")] = Field(
        None,
        description="Collector that spans of requests are sent to by OTLP over HTTP, for instance "
        "`http://127.0.0.1:4318`; needs `tramontane[tracing]`, see docs/observability.md.",
    )
    first_token_timeout: Duration = Field(
        600.0,
        gt=0,
        description="A request whose first token has not come so long after its arrival ends with 504.",
    )
    request_timeout: Duration = Field(
        3600.0, gt=0, description="A request that is not over so long after its arrival ends with 504."
    )
    max_connections: int = Field(
        4096, ge=1, description="Open connections; a request on a further one is refused with 429 at once."
    )
    slow_client_timeout: Duration = Field(
        30.0,
        gt=0,
        description="A client that sends its request, or reads its answer, slower than 256 bytes a "
        "second for so long is cut off.",
    )
    shutdown_delay: Duration = Field(
        0.0,
        ge=0,
        le=600,
        description="How long a server that was told to stop still takes requests, while `/health/ready` "
        "already says that it stops: until balancers have noticed.",
    )
    shutdown_grace: Duration = Field(
        25.0,
        ge=0,
        le=86_400,
        description="How long answers under way may then go on. A second signal ends them at once.",
    )
