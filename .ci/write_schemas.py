"""Write the JSON Schemas of the files that cross a boundary: `python .ci/write_schemas.py schemas`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from webgpu_kit.manifest import Manifest, SiteManifest
from webgpu_kit.recipe import Recipe
from webgpu_kit.report import BenchReport, CheckReport, DoctorReport

SCHEMAS: dict[str, type[BaseModel]] = {
    "recipe": Recipe,
    "manifest": Manifest,
    "site-manifest": SiteManifest,
    "check-report": CheckReport,
    "bench-report": BenchReport,
    "doctor-report": DoctorReport,
}


def write_schemas(folder: Path) -> None:
    """Write `<name>.schema.json` for each model."""
    folder.mkdir(exist_ok=True)
    for name, model in SCHEMAS.items():
        schema = model.model_json_schema(mode="validation" if name == "recipe" else "serialization")
        if name == "recipe":
            del schema["required"]  # a recipe without a name takes its folder's
            schema["anyOf"] = [{"required": ["source"]}, {"required": ["models"]}]
        (folder / f"{name}.schema.json").write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
