"""Run the benchmarks named on the command line, or all, and keep what they give in `results/`."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from datetime import datetime, timezone
from pathlib import Path

import webgpu_kit.doctor.machine

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = ("command_line", "minilm_build", "minilm_page", "smollm2_page", "rag_page")


def main() -> None:
    """Each benchmark is a module here with `measure() -> dict` and a `LIMITS` table of what the figures must keep."""
    kept = True
    for name in sys.argv[1:] or BENCHMARKS:
        if name not in BENCHMARKS:
            sys.exit(f"benchmarks: no benchmark {name!r}. There are: {', '.join(BENCHMARKS)}")
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        figures = module.measure()
        kept &= _print_figures(figures, module.LIMITS)
        _write_result(name, figures)
    sys.exit(0 if kept else 1)


def _print_figures(figures: dict[str, float], limits: dict[str, tuple[str, float]]) -> bool:
    kept = True
    for name, value in figures.items():
        sign, limit = limits.get(name, ("", 0.0))
        good = not sign or (value <= limit if sign == "<=" else value >= limit)
        kept &= good
        print(f"  {name:48} {value:12.3f}" + (f"   {sign} {limit:g}  {'kept' if good else 'MISSED'}" if sign else ""))
    return kept


def _write_result(name: str, figures: dict[str, float]) -> None:
    RESULTS.mkdir(exist_ok=True)
    record = {
        "benchmark": name,
        "measured": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": webgpu_kit.doctor.machine.describe_machine(),
        "python": platform.python_version(),
        "webgpu_kit": webgpu_kit.doctor.machine.read_own_version(),
        "figures": {key: round(value, 4) for key, value in figures.items()},
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
