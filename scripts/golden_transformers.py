"""Write `tests/golden/transformers_reference.json` anew: `make golden-reference`.

The tiny models of `tests/support/reference_cases.py` are read and run by `transformers`, in an environment
of its own that the variable REFERENCE_PYTHON names.
"""

import subprocess
import sys

from tests.support.transformers_golden import GOLDEN, write_golden
from tests.support.transformers_library import VARIABLE, ask, reference_python

VERSIONS = (
    "import torch, transformers as t; print(f'transformers {t.__version__}, torch {torch.__version__}')"
)


def main() -> int:
    """Ask and write."""
    python = reference_python()
    if python is None:
        print(f"Set {VARIABLE} to a Python that has torch and transformers, or run `make golden-reference`.")
        return 1
    versions = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
    write_golden(ask(python), versions.stdout.strip())
    print(GOLDEN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
