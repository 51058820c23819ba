"""Served models around what a test has made, and loaders that do what a test tells them."""

from tests.support.clock import FakeClock
from tramontane.catalog.machine import MachineMemory
from tramontane.models.loaded import EmbeddingModel
from tramontane.models.loader import traits_of
from tramontane.models.memory import SharedMemory
from tramontane.models.served import ServedModel
from tramontane.models.state import Phase
from tramontane.settings import ModelSettings


class MadeLoader:
    """Gives out the model that it was given."""

    memory = 0

    def __init__(self, model, **settings):
        self.model = model
        self.profile = model.profile
        self.admission = model.admission
        self.settings = ModelSettings(model=self.profile.id, **settings)

    def make(self):
        return self.model

    def traits(self, made):
        info = getattr(made.engine, "info", None)
        is_embedding = isinstance(made, EmbeddingModel)
        return traits_of(
            made,
            info.abilities if info else frozenset(),
            info.embedding_dimension if info and is_embedding else None,
        )


def plenty():
    return MachineMemory(10**12, 10**12)


def served(model, **settings):
    """The model as one that is loaded, whose engine is started already."""
    one = ServedModel(MadeLoader(model, **settings), model, SharedMemory(None, plenty), FakeClock())
    one._model, one._phase = model, Phase.LOADED
    return one
