"""What the setting `quantization` may be. In a module of its own, because every start passes through here."""

from typing import Literal

Quantization = Literal["auto", "none", "int8", "int4", "int4-32", "int4-128"]
"""`none` keeps what the files have; `int4-32` and `int4-128` are 4 bits with other groups than 64."""
