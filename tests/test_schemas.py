from __future__ import annotations

import runpy
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def test_the_schemas_are_those_of_the_code(tmp_path: Path) -> None:
    runpy.run_path(str(REPOSITORY / ".ci" / "write_schemas.py"))["write_schemas"](tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in (REPOSITORY / "schemas").iterdir()}
    assert written == kept, "the models changed: run make schemas"


def test_readme_shows_every_file_of_the_package() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for path in sorted((REPOSITORY / "webgpu_kit").iterdir()):
        if path.name not in ("__init__.py", "__pycache__"):
            assert f"{path.name}{'/' if path.is_dir() else ''}" in readme, f"README's tree lacks {path.name}"
