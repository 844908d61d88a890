"""Every table of the ledger: whoever imports METADATA from here has all of them in it."""

import importlib
from pathlib import Path

from db.metadata import METADATA

__all__ = ["METADATA"]

# Not by a list: whoever adds a file of models would have to know of it.
for _path in sorted(Path(__file__).parent.glob("models*.py")):
    importlib.import_module(f"db.{_path.stem}")
