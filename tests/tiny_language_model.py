"""A llama of a few thousand seeded weights, as a GGUF file and as a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

HIDDEN, HEADS, KV_HEADS, HEAD, FEED_FORWARD, LAYERS, CONTEXT = 64, 4, 2, 16, 96, 2, 256
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("h e", "l l", "he ll", "hell o", "Ġ Ġ", "Ġ w", "o r", "Ġw or")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
Kinds = Mapping[str, str]  # the type of a kind of tensor, by a part of its name


def byte_alphabet() -> list[str]:
    """How byte-level vocabularies spell the 256 bytes."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return list(bytes_to_unicode().values())


def vocabulary() -> list[str]:
    return [*SPECIAL, *byte_alphabet(), *(merge.replace(" ", "") for merge in MERGES)]


def make_weights(tied: bool) -> dict[str, np.ndarray[Any, Any]]:
    """Float32 weights under GGUF's names, (rows, columns)."""
    generator, size = np.random.default_rng(7), len(vocabulary())
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (size, HIDDEN), "output_norm": (HIDDEN,)}
    shapes |= {} if tied else {"output": (size, HIDDEN)}
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.{part}": shape
            for part, shape in {
                "attn_norm": (HIDDEN,),
                "attn_q": (HEADS * HEAD, HIDDEN),
                "attn_k": (KV_HEADS * HEAD, HIDDEN),
                "attn_v": (KV_HEADS * HEAD, HIDDEN),
                "attn_output": (HIDDEN, HEADS * HEAD),
                "ffn_norm": (HIDDEN,),
                "ffn_gate": (FEED_FORWARD, HIDDEN),
                "ffn_up": (FEED_FORWARD, HIDDEN),
                "ffn_down": (HIDDEN, FEED_FORWARD),
            }.items()
        }
    weights = {name: generator.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    return {name: value + 1 if name.endswith("norm") else value for name, value in weights.items()}


def write_gguf(path: Path, kinds: Kinds, *, tied: bool = True, **metadata: Any) -> Path:
    """Write the model; `kinds` maps parts of tensor names to types, norms are F32. `metadata` replace keys of
    the tokenizer and of llama (split, template, tokens, architecture, scaling, context); None leaves a key out."""
    chosen = {"architecture": "llama", "split": "smollm", "template": TEMPLATE, "tokens": vocabulary(), **metadata}
    writer = gguf.GGUFWriter(path, chosen["architecture"])
    writer.add_context_length(chosen.get("context", CONTEXT))
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    if chosen.get("scaling"):
        writer.add_rope_scaling_type(chosen["scaling"])
    if chosen["tokens"]:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(chosen["split"])
        writer.add_token_list(chosen["tokens"])
        writer.add_token_types([3 if token in SPECIAL else 1 for token in chosen["tokens"]])
        writer.add_token_merges(list(MERGES))
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
    if chosen["template"]:
        writer.add_chat_template(chosen["template"])
    for name, value in make_weights(tied).items():
        kind = "F32" if name.endswith("norm") else next(kind for part, kind in kinds.items() if part in name)
        data = gguf.quants.quantize(value, gguf.GGMLQuantizationType[kind])
        writer.add_tensor(f"{name}.weight", data, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_folder(folder: Path, epsilon: float = 1e-6) -> Path:
    """Write a seeded model as transformers saves one; `epsilon` is its normalizations'."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from webgpu_kit.export.gguf_file import read_gguf
    from webgpu_kit.export.gguf_tokenizer import write_tokenizer

    folder.mkdir()
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(vocabulary()),
        hidden_size=HIDDEN,
        intermediate_size=FEED_FORWARD,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.3,
        rms_norm_eps=epsilon,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    write_tokenizer(read_gguf(write_gguf(folder / "tokenizer.gguf", {"": "F16"})), folder)
    (folder / "tokenizer.gguf").unlink()
    return folder
