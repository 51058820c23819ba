"""The Hugging Face hub, or a mirror of it: what a repository holds, and why it refuses.

The hub's own library speaks to it, so that its settings hold: HF_ENDPOINT, HF_TOKEN, the token of `hf auth
login`, HF_HUB_OFFLINE. The files themselves are fetched by `hub_fetch`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath

import httpx2
from huggingface_hub import HfApi, ModelInfo, constants, get_token, hf_hub_url
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tramontane.errors import ModelStoreError
from tramontane.weights.source import HubSource

_TIMEOUT = 30.0
"""Seconds for one answer of the API."""
_LOG_IN = "set HF_TOKEN (or TRAMONTANE_HUB_TOKEN, or run `hf auth login`)"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository."""

    path: str
    size: int
    blob_id: str
    """Of git: SHA-1 of the content behind a header. Of a large file it is the pointer's, and says nothing."""
    sha256: str | None
    """Of a large file's content."""


@dataclass(frozen=True, slots=True)
class HubListing:
    """A repository at one commit."""

    repository: str
    commit: str
    files: Sequence[HubFile]
    license: str | None
    """As its card names it: an SPDX identifier in lower case, or the name of the maker's own."""
    gated: bool
    """Its files are given only to accounts that have accepted its terms."""
    parameters: int | None
    """Weights in its safetensors files, as the hub has counted them."""


class Hub:
    """The hub at `endpoint`, as the holder of `token`; None for what the hub's own settings say."""

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self._token = token or get_token()
        self._api = HfApi(endpoint=self.endpoint, token=self._token or False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What a request for a file carries."""
        return {"authorization": f"Bearer {self._token}"} if self._token else {}

    def file_url(self, listing: HubListing, file: HubFile) -> str:
        """Where `file` is. The content at a commit never changes."""
        return hf_hub_url(listing.repository, file.path, revision=listing.commit, endpoint=self.endpoint)

    def listing(self, source: HubSource) -> HubListing:
        """What the repository holds now.

        Raises:
            ModelStoreError: there is none, it is not for us, or the hub cannot be reached.
        """
        with self._explained(source):
            info = self._api.model_info(
                source.repository, revision=source.revision, files_metadata=True, timeout=_TIMEOUT
            )
            listing = _listing(info)
            if listing.gated:
                self._api.auth_check(source.repository)
            return listing

    def read(self, source: HubSource, listing: HubListing, file: HubFile) -> bytes:
        """The content of a small file, unchecked.

        Raises:
            ModelStoreError: as `listing`.
        """
        with self._explained(source):
            answer = httpx2.get(
                self.file_url(listing, file),
                headers=dict(self.headers),
                follow_redirects=True,
                timeout=_TIMEOUT,
            )
            answer.raise_for_status()
            return answer.content

    def refusal(self, source: HubSource, reason: str) -> ModelStoreError:
        """Why a file was refused that the API has listed."""
        try:
            with self._explained(source):
                self._api.auth_check(source.repository)
        except ModelStoreError as error:
            return error
        return ModelStoreError(f"{self.endpoint} refuses the file: {reason}.")

    @contextmanager
    def _explained(self, source: HubSource) -> Iterator[None]:
        """Failures of the hub as ones that say what to do."""
        try:
            yield
        except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise self._no_access(source, error) from error
        except DisabledRepoError as error:
            raise ModelStoreError(f"{self.endpoint} has disabled the repository.") from error
        except HfHubHTTPError as error:
            raise self._refused(error) from error
        except OfflineModeIsEnabled as error:
            raise ModelStoreError(
                "HF_HUB_OFFLINE is set. Unset it, or copy the model's folder here."
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError) as error:
            raise ModelStoreError(self._unreachable(str(error) or type(error).__name__)) from error

    def _no_access(self, source: HubSource, error: HfHubHTTPError) -> ModelStoreError:
        page = f"{self.endpoint}/{source.repository}"
        match error:
            case GatedRepoError() if self._token:
                return ModelStoreError(
                    f"it is gated, and the account of your token has no access yet. Accept its terms at "
                    f"{page}, and see that the token may read gated repositories."
                )
            case GatedRepoError():
                return ModelStoreError(
                    f"it is gated. Accept its terms at {page}, make a token at "
                    f"{self.endpoint}/settings/tokens and {_LOG_IN}."
                )
            case RevisionNotFoundError():
                return ModelStoreError(f"it has no revision {source.revision!r}. {page} lists what it has.")
        private = "" if self._token else f" If it is private, {_LOG_IN}."
        return ModelStoreError(
            f"{self.endpoint} has no such repository{self._did_you_mean(source.repository)}.{private}"
        )

    def _refused(self, error: HfHubHTTPError) -> ModelStoreError:
        status = error.response.status_code
        if status == 401 and self._token:
            return ModelStoreError(f"{self.endpoint} does not know the token: {_LOG_IN} anew.")
        if status == 429:
            return ModelStoreError(
                f"{self.endpoint} has had too many requests. Try later, or with a token: {_LOG_IN}."
            )
        return ModelStoreError(
            f"{self.endpoint} answered {status} ({error.response.reason_phrase}). Try again later."
        )

    def _unreachable(self, reason: str) -> str:
        return (
            f"{self.endpoint} cannot be reached or is no hub ({reason}). Check the network and the proxy, or "
            f"name a mirror (HF_ENDPOINT, TRAMONTANE_HUB_ENDPOINT)."
        )

    def _did_you_mean(self, repository: str) -> str:
        """The nearest names of the same organisation, and else what a search for the name finds."""
        organisation, _, name = repository.partition("/")
        try:
            theirs = [info.id for info in self._api.list_models(author=organisation, limit=1000)]
            found = theirs or [info.id for info in self._api.list_models(search=name, limit=20)]
        except (httpx2.HTTPError, OSError, ValueError):
            return ""
        by_lower = {model.lower(): model for model in found}
        near = get_close_matches(repository.lower(), by_lower, n=3)
        return f"; did you mean {' or '.join(by_lower[model] for model in near)}?" if near else ""


def _listing(info: ModelInfo) -> HubListing:
    if info.sha is None or info.siblings is None:
        raise ValueError("it lists no files")
    files = [
        HubFile(
            sibling.rfilename,
            sibling.size or 0,
            sibling.blob_id or "",
            sibling.lfs.sha256 if sibling.lfs else None,
        )
        for sibling in info.siblings
        if _is_plain(sibling.rfilename)
    ]
    card = info.card_data
    return HubListing(
        repository=info.id,
        commit=info.sha,
        files=files,
        license=(card.get("license_name") or card.get("license")) if card else None,
        gated=bool(info.gated),
        parameters=info.safetensors.total if info.safetensors else None,
    )


def _is_plain(path: str) -> bool:
    """Whether it can be a place below a folder."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and not any(part.startswith(".") for part in parts)
