"""`tramontane models`: what lies in the store, and what could."""

import click

from tramontane.cli.models_fetch import pull, verify
from tramontane.cli.models_list import list_models, show
from tramontane.cli.models_plan import plan
from tramontane.cli.models_remove import prune, remove


@click.group()
def models() -> None:
    """List, plan, fetch, check and remove models.

    MODEL is an id of the catalog (ministral-3b-2512), a model of the Hugging Face hub (organisation/name,
    organisation/name:Q4_K_M, hf:organisation/name/file.gguf, each with @revision), a .gguf file or a folder.
    """


for command in (list_models, show, plan, pull, verify, remove, prune):
    models.add_command(command)
