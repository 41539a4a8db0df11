"""The tasks, one file each. A task says five things and nothing else:

1. how to load the original model,
2. what goes into the graph before and after it,
3. sample inputs, as `kit.run` takes them, and what the original makes of them,
4. the parity metric, its thresholds, and the default variants, best first,
5. which page shows it (the folder of the same name under `site_templates/pages/`).
"""

from __future__ import annotations

from webgpu_kit.tasks.feature_extraction import FEATURE_EXTRACTION
from webgpu_kit.tasks.fill_mask import FILL_MASK
from webgpu_kit.tasks.image_classification import IMAGE_CLASSIFICATION
from webgpu_kit.tasks.rag import make_page_settings
from webgpu_kit.tasks.sentence_similarity import SENTENCE_SIMILARITY
from webgpu_kit.tasks.task import Original, Task, TorchModel
from webgpu_kit.tasks.tensor import TENSOR
from webgpu_kit.tasks.text_classification import TEXT_CLASSIFICATION
from webgpu_kit.tasks.text_generation import TEXT_GENERATION
from webgpu_kit.tasks.text_ranking import TEXT_RANKING
from webgpu_kit.tasks.token_classification import TOKEN_CLASSIFICATION
from webgpu_kit.tasks.zero_shot_classification import ZERO_SHOT_CLASSIFICATION

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        IMAGE_CLASSIFICATION,
        FEATURE_EXTRACTION,
        TEXT_CLASSIFICATION,
        TOKEN_CLASSIFICATION,
        FILL_MASK,
        ZERO_SHOT_CLASSIFICATION,
        SENTENCE_SIMILARITY,
        TEXT_RANKING,
        TEXT_GENERATION,
        TENSOR,
    )
}

# Tasks that take several models, each of a task above: what their page reads.
PAGE_SETTINGS = {"rag": make_page_settings}

__all__ = ["PAGE_SETTINGS", "TASKS", "Original", "Task", "TorchModel"]
