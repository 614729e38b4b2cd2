"""The files of protocol/vectors."""

import json
from pathlib import Path
from typing import Any


def read(name: str) -> Any:
    return json.loads((Path(__file__).parents[3] / "protocol" / "vectors" / f"{name}.json").read_text())
