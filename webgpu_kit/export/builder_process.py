"""onnxruntime-genai's model builder, as a process of its own: `python -m webgpu_kit.export.builder_process`.

It takes the builder's own arguments. What it is told of a model's positions is the plainest that it knows, because it
leaves the scaling of some out (linear and YaRN of a Llama) and stops at others (SmolLM3, Gemma 3, LongRoPE).
`attention.py` then writes into the graph what PyTorch's own layers do.
"""

from __future__ import annotations

from typing import Any

# What another architecture is but for its positions.
SAME_GRAPH = {"SmolLM3ForCausalLM": "LlamaForCausalLM"}
SCALED = ("GptOssForCausalLM",)  # the builder takes scaled positions alone


def simplify_config(config: Any) -> Any:
    """A configuration as the builder takes it: unscaled positions, one context length. Changes `config`."""
    if config.architectures[0] in SCALED:
        return config
    rotary = config.rope_parameters or {}
    kept = {key: rotary[key] for key in ("rope_theta", "partial_rotary_factor") if key in rotary}
    config.rope_parameters = {"rope_type": "default", "rope_theta": 10000.0, **kept}
    config.rope_local_base_freq = 10000.0  # asked for of Gemma 3
    config.original_max_position_embeddings = config.max_position_embeddings
    config.architectures = [SAME_GRAPH.get(name, name) for name in config.architectures]
    return config


def main() -> None:
    """Run the builder with the arguments of the command line."""
    from onnxruntime_genai.models import builder
    from transformers import AutoConfig

    class PlainConfig:
        @staticmethod
        def from_pretrained(*given: Any, **settings: Any) -> Any:
            return simplify_config(AutoConfig.from_pretrained(*given, **settings))

    builder.AutoConfig = PlainConfig
    given = builder.get_args()
    where = (given.model_name, given.input, given.output, given.precision, given.execution_provider, given.cache_dir)
    builder.create_model(*where, **builder.parse_extra_options(*where, given.extra_options))


if __name__ == "__main__":
    main()
