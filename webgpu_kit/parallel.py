"""Work on several variants at once. ONNX Runtime, NumPy, hashing and files let go of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from webgpu_kit.artifacts import Graph
from webgpu_kit.initializers import count_bytes

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGE_BYTES = 256 * 2**20  # of weights: from here on one variant at a time, because each is several copies of them


def map_variants(function: Callable[[Item], Result], items: Iterable[Item], graph: Graph) -> list[Result]:
    """`function` of every item, in their order, two at a time where `graph` is small. The first error is raised."""
    import onnxruntime  # noqa: F401  # now: two threads that import it at the same time find it half made

    size = sum(map(count_bytes, graph.model.graph.initializer))
    workers = 1 if size > LARGE_BYTES else min(2, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))
