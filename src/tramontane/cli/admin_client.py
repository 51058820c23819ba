"""The admin API's models, for commands."""

from typing import Any
from urllib.parse import quote

from tramontane.cli.remote_server import RemoteServer, raise_for_refusal

_MODELS = "/v1/admin/models"
_JOBS = "/v1/admin/model-jobs"

Card = dict[str, Any]


class AdminClient(RemoteServer):
    """Manages the models of one server. All of it raises RemoteServerError if that refuses or is away."""

    def models(self) -> list[Card]:
        """All that are served."""
        cards: list[Card] = self._call("GET", _MODELS)["data"]
        return cards

    def load(self, model: str, *, wait: bool) -> Card:
        """Take it into memory."""
        return self._call("POST", f"{_MODELS}/{quote(model)}/load", wait=wait)

    def unload(self, model: str, *, force: bool) -> Card:
        """Take it out of memory."""
        return self._call("POST", f"{_MODELS}/{quote(model)}/unload", force=force)

    def add(self, body: dict[str, object]) -> Card:
        """Begin to serve one more; the answer is a job."""
        return self._call("POST", _MODELS, body)

    def remove(self, model: str, *, force: bool) -> Card:
        """Serve it no longer."""
        return self._call("DELETE", f"{_MODELS}/{quote(model)}", force=force)

    def job(self, job_id: str) -> Card:
        """How far it is."""
        return self._call("GET", f"{_JOBS}/{quote(job_id)}")

    def _call(self, method: str, path: str, body: dict[str, object] | None = None, **query: bool) -> Card:
        with self.translated():
            answer = self.http.request(method, path, json=body, params=query or None)
            raise_for_refusal(answer)
            card: Card = answer.json()
            return card
