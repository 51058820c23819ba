"""`tramontane models`: what lies in the store, what could, and what a running server does with them."""

import click

from tramontane.cli.models_fetch import pull, verify
from tramontane.cli.models_list import list_models, show
from tramontane.cli.models_plan import plan
from tramontane.cli.models_remove import prune, remove
from tramontane.cli.models_served import add, drop, load, ps, unload


@click.group()
def models() -> None:
    """List, plan, fetch, check and remove models; load and unload those of a server.

    ps, load, unload, add and drop speak to a server, with an admin key; all others look at the disk.

    MODEL is an id of the catalog (ministral-3b-2512), a model of the Hugging Face hub (organisation/name,
    organisation/name:Q4_K_M, hf:organisation/name/file.gguf, each with @revision), a .gguf file or a folder.
    """


for command in (list_models, show, plan, pull, verify, remove, prune, ps, load, unload, add, drop):
    models.add_command(command)
