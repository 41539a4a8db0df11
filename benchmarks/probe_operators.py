"""Measure which operators ONNX Runtime Web can load, and write webgpu_kit/graph/operators.json.

    python benchmarks/probe_operators.py        in a real browser, a few minutes; needs `npm ci` in site_templates/

For every operator of ONNX and every one that ONNX Runtime adds, one-node models are loaded in a page: those of
the onnx package's own test cases, at every opset that revised the operator, then copies of one that loads with
one type parameter changed at a time. What counts is whether a session can be created, not what it computes.
"""

from __future__ import annotations

import argparse
import base64
import functools
import http.server
import json
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import onnx
from onnx import TensorProto, helper
from operator_models import Probe, bind_types, has_subgraph, make_base_probes, make_type_probes, read_added_schemas

from webgpu_kit.browser import launch
from webgpu_kit.browser.search import find_browser

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = ROOT / "site_templates" / "node_modules" / "onnxruntime-web"
TABLE_PATH = ROOT / "webgpu_kit" / "graph" / "operators.json"
BACKENDS = {"wasm": ("ort.wasm.min.mjs", ["wasm"]), "webgpu": ("ort.jspi.min.mjs", ["webgpu"])}
BATCH = 400
# How ONNX Runtime says that it has no kernel, or does not know the operator at all.
LACKING = re.compile(
    r"(?:Could not find an implementation for|Failed to find kernel for|Provider type for|No Op registered for) (\w+)"
    r"|(\w+)\(-?\d+\) is not a registered function/op|MLDataType for: .* is not currently registered"
)
# The session was made, and then the JavaScript API found an input or output of a dtype that it has no name for;
# or the kernel was found, and did not like the attributes that were guessed for it.
LOADED = re.compile(r"unsupported data type|OpKernelInfo")
# What follows a session that failed half-way in the WebGPU build: the page is of no use any more.
POISONED = "another WebGPU EP inference session is being created"


# --- the browser ----------------------------------------------------------------------------------------------

LOAD_MODELS = """async ([module, providers, models]) => {
    if (!window.ort) {
        window.ort = await import(`/dist/${module}`);
        ort.env.wasm.numThreads = 1;
        ort.env.logLevel = "fatal";
    }
    const errors = [];
    for (const model of models) {
        const bytes = Uint8Array.from(atob(model), (letter) => letter.charCodeAt(0));
        try {
            const session = await ort.InferenceSession.create(bytes, { executionProviders: providers });
            await session.release();
            errors.push("");
        } catch (error) {
            errors.push(String(error?.message ?? error));
        }
    }
    return errors;
}"""


@contextmanager
def serve_runtime() -> Iterator[str]:
    """Serve the npm package on a free port of localhost."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map: ClassVar = {".mjs": "text/javascript", ".wasm": "application/wasm", "": "text/plain"}

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Handler, directory=str(RUNTIME)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_address[1]}/LICENSE"
    finally:
        server.shutdown()


@dataclass
class Loader:
    """Loads models in one browser; a page lives for one batch, so that what failed before cannot matter."""

    browser: Any
    address: str
    backend: str
    seen: dict[bytes, str] = field(default_factory=dict)

    def load(self, models: Iterable[onnx.ModelProto]) -> list[str]:
        """The error of each model, '' where a session was created."""
        contents = [model.SerializeToString(deterministic=True) for model in models]
        new = [content for content in dict.fromkeys(contents) if content not in self.seen]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            self.seen.update(zip(batch, self._load_batch(batch), strict=True))
            print(f"  {self.backend}: {start + len(batch)} of {len(new)} models", flush=True)
        return [self.seen[content] for content in contents]

    def _load_batch(self, contents: Sequence[bytes]) -> list[str]:
        module, providers = BACKENDS[self.backend]
        page = self.browser.new_page()
        try:
            page.goto(self.address)
            encoded = [base64.b64encode(content).decode() for content in contents]
            errors: list[str] = page.evaluate(LOAD_MODELS, [module, providers, encoded])
            whole = next((index for index, error in enumerate(errors) if POISONED in error and index), len(errors))
            return errors[:whole] + (self._load_batch(contents[whole:]) if whole < len(errors) else [])
        except Exception as error:  # a page that died takes its batch along: find the model that did it
            if len(contents) == 1:
                return [f"the page ended: {str(error).splitlines()[0]}"]
        finally:
            page.close()
        middle = len(contents) // 2
        return self._load_batch(contents[:middle]) + self._load_batch(contents[middle:])


# --- the measurement ------------------------------------------------------------------------------------------


def measure_opsets(loader: Loader) -> dict[str, int]:
    """The newest opset of each domain that loads."""
    opsets = {}
    for domain, node, newest in (
        ("ai.onnx", helper.make_node("Identity", ["x"], ["y"]), onnx.defs.onnx_opset_version()),
        ("ai.onnx.ml", helper.make_node("Identity", ["x"], ["y"]), 8),
    ):
        info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
        graph = helper.make_graph([node], "probe", info[:1], info[1:])
        models = []
        for version in range(1, newest + 1):
            versions = {"": 13, "ai.onnx.ml": 1} | {"" if domain == "ai.onnx" else domain: version}
            imports = [helper.make_opsetid(name, number) for name, number in versions.items()]
            models.append(helper.make_model(graph, opset_imports=imports, ir_version=8))
        loaded = [version for version, error in enumerate(loader.load(models), 1) if not error]
        opsets[domain] = max(loaded)
    return opsets


def list_native_operators() -> set[str]:
    """What the native CPU build has kernels for: the answer for what could not be measured on wasm."""
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    return {f"{kernel.domain or 'ai.onnx'}::{kernel.op_name}" for kernel in native.get_all_opkernel_def()}


def judge(probe: Probe, error: str) -> str:
    """Say `good`, `lacking` or `unclear` (the model was wrong, which tells nothing about the operator)."""
    if not error or LOADED.search(error):
        return "good"
    lacking = LACKING.search(error)
    if lacking is None:
        return "unclear"
    named = lacking[1] or lacking[2]
    is_inner = has_subgraph(probe.model) and named not in (None, probe.schema.name)
    return "unclear" if is_inner else "lacking"


def measure_backend(loader: Loader, base: Sequence[Probe]) -> tuple[dict[str, Any], set[str], Counter[str]]:
    """What `loader`'s backend lacks, which operators were measured at all, and the errors that tell nothing."""
    outcomes: dict[str, dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    unclear: Counter[str] = Counter()

    def record(probes: Sequence[Probe]) -> list[Probe]:
        good = []
        for probe, error in zip(probes, loader.load([probe.model for probe in probes]), strict=True):
            verdict = judge(probe, error)
            kinds = {probe.kind} | (set(bind_types(probe.schema, probe.model).items()) if verdict == "good" else set())
            for kind in kinds:
                outcomes[probe.schema.key][kind].add(verdict)
            unclear.update([f"{probe.schema.key}: {error[:160]}"] if verdict == "unclear" else [])
            good += [probe] if verdict == "good" else []
        return good

    best: dict[str, dict[tuple[str, ...], Probe]] = defaultdict(dict)
    for probe in sorted(record(base), key=lambda probe: probe.schema.since):
        best[probe.schema.key][tuple(sorted(bind_types(probe.schema, probe.model)))] = probe
    record([varied for probes in best.values() for probe in probes.values() for varied in make_type_probes(probe)])
    lacking = {key: entry for key in sorted(outcomes) if (entry := summarize(outcomes[key]))}
    measured = {key for key, kinds in outcomes.items() if any({"good", "lacking"} & seen for seen in kinds.values())}
    return lacking, measured, unclear


def summarize(kinds: dict[tuple[str, str], set[str]]) -> str | dict[str, str]:
    """'*' where nothing loaded, else the lacking versions and the lacking dtypes of each type parameter."""
    if not any("good" in seen for seen in kinds.values()):
        return "*" if any("lacking" in seen for seen in kinds.values()) else {}
    entry: dict[str, list[str]] = defaultdict(list)
    for (parameter, value), seen in sorted(kinds.items()):
        if "lacking" in seen and "good" not in seen:
            entry[parameter].append(value)
    return {parameter: " ".join(values) for parameter, values in entry.items()}


def main() -> None:
    """Measure both backends and write the table."""
    parser = argparse.ArgumentParser(description="Measure which operators ONNX Runtime Web can load.")
    parser.add_argument("--out", type=Path, default=TABLE_PATH)
    parser.add_argument("--details", type=Path, help="also write every error that tells nothing, as JSON")
    arguments = parser.parse_args()
    version = json.loads((RUNTIME / "package.json").read_text("utf-8"))["version"]
    table: dict[str, Any] = {"onnxruntime_web": version}
    details = {}
    with serve_runtime() as address, launch(find_browser(), webgpu="software") as browser:
        table["opsets"] = measure_opsets(Loader(browser, address, "wasm"))
        base = make_base_probes(table["opsets"])
        added = {schema.key: schema.spell() for schema in read_added_schemas()}
        for backend in BACKENDS:
            lacking, measured, unclear = measure_backend(Loader(browser, address, backend), base)
            table[f"{backend}_missing"] = lacking
            details[backend] = {
                "unclear": unclear,
                "unmeasured": sorted({probe.schema.key for probe in base} - measured),
            }
            print(f"{backend}: {len(measured)} operators measured, {sum(v == '*' for v in lacking.values())} missing")
    for backend in BACKENDS:  # what nothing could be found out about, and the native build has no kernel for
        for key in set(details[backend]["unmeasured"]) - list_native_operators():
            table[f"{backend}_missing"][key] = "*"
    lacking = [{key for key, entry in table[f"{backend}_missing"].items() if entry == "*"} for backend in BACKENDS]
    nowhere = set(added) & lacking[0] & lacking[1]  # what is neither ONNX's nor added is missing anyway
    table["added"] = {key: spelled for key, spelled in added.items() if key not in nowhere}
    for backend in BACKENDS:
        missing = table[f"{backend}_missing"]
        table[f"{backend}_missing"] = {key: missing[key] for key in sorted(missing) if key not in nowhere}
    arguments.out.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    if arguments.details:
        arguments.details.write_text(json.dumps(details, indent=1), "utf-8")


if __name__ == "__main__":
    main()
