"""The dashboard asks for metrics that there are."""

import json
import re
from pathlib import Path

from scripts.pages.observability import families

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/tramontane.json"
OF_THE_PROCESS = {"process_resident_memory_bytes", "process_open_fds"}


def test_every_expression_names_metrics_that_a_server_shows():
    shown = {sample.name for family in families() for sample in family.samples}
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [str(variable["query"]) for variable in dashboard["templating"]["list"]]
    asked = {name for text in expressions for name in re.findall(r"\b(?:tramontane|process)_\w+", text)}
    assert asked - shown == OF_THE_PROCESS
