"""The tasks of encoders in a real browser, on small seeded models: the answers of transformers' pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_encoders import TEXTS, write_encoder

import webgpu_kit
from browser.conftest import BARE_PAGE, OpenPage
from webgpu_kit.recipe import TASK_NAMES
from webgpu_kit.vendor import templates_folder

pytest.importorskip("transformers")
TOLERANCE = 1e-4
# Where subgroups are narrower than 8 (SwiftShader), ONNX Runtime's attention is wrong from 32 tokens on: see
# kit/generation/part-length.js. What is asked of WebGPU here stays below.
SHORT_TEXTS = ("ok", "a cat sleeps", "I love it!", "the sun", "")
NER = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}
RUN = """async ({ input, backend }) => {
    const { load } = await import("./kit/kit.js");
    globalThis.model ??= await load("./model/manifest.json", { backend });
    try {
        const { outputs, timeMs, ...answer } = await globalThis.model.run(input);
        return answer;
    } catch (error) { return { code: error.code, message: error.message }; }
}"""
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def bare_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kit with an empty page for every task: these tests ask the kit alone."""
    folder = tmp_path_factory.mktemp("templates")
    (folder / "kit").symlink_to(templates_folder() / "kit")
    for task in TASK_NAMES:
        (folder / "pages" / task).mkdir(parents=True)
        (folder / "pages" / task / "index.html.jinja").write_text(BARE_PAGE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("webgpu_kit.site.templates_folder", lambda: folder)
        yield folder


@pytest.fixture
def ask(bare_templates: Path, tmp_path: Path, open_page: OpenPage) -> Ask:
    """Build a site of a seeded model, and ask its page."""
    pages: dict[str, Any] = {}

    def ask(input: dict[str, Any], kind: str, architecture: str, *, backend: str = "wasm", **settings: Any) -> Any:
        folder = tmp_path / "model"
        if not folder.exists():
            site = build(folder, kind, architecture, settings)
            pages["page"] = open_page(site)
        return pages["page"].js(RUN, {"input": input, "backend": backend})

    return ask


def build(folder: Path, kind: str, architecture: str, settings: dict[str, Any]) -> Path:
    task = settings.pop("task", None)
    write_encoder(folder, kind, architecture, **settings)
    given = {"task": task} if task else {}
    webgpu_kit.build(str(folder), out=folder.parent / "site", dtypes=["fp32"], **given)
    return folder.parent / "site"


def make_pipeline(task: str, folder: Path, **options: Any) -> Any:
    from transformers import pipeline

    return pipeline(task, model=str(folder), device="cpu", **options)


def same_scores(given: list[float], wanted: list[float]) -> None:
    assert given == pytest.approx(wanted, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "architecture", "problem", "backend"),
    [
        ("wordpiece", "BertForSequenceClassification", None, "wasm"),
        ("byte-level", "RobertaForSequenceClassification", "multi_label_classification", "wasm"),
        ("unigram", "DistilBertForSequenceClassification", None, "webgpu"),
    ],
)
def test_text_classification(
    ask: Ask, tmp_path: Path, kind: str, architecture: str, problem: str | None, backend: str
) -> None:
    texts = list(TEXTS if backend == "wasm" else SHORT_TEXTS)
    labels = {"id2label": {0: "red", 1: "green", 2: "blue"}, "problem_type": problem}
    given = ask({"text": texts}, kind, architecture, backend=backend, **labels)["results"]
    wanted = make_pipeline("text-classification", tmp_path / "model", top_k=None)(texts, truncation=True)
    for mine, theirs in zip(given, wanted, strict=True):
        same_scores([each["score"] for each in mine], [each["score"] for each in theirs])
        check_order(mine, theirs)


def check_order(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """The same labels in the same places, but for those whose scores are the same within the tolerance."""
    scores = {each["label"]: each["score"] for each in theirs}
    for here, there in zip(mine, theirs, strict=True):
        assert here["label"] == there["label"] or scores[here["label"]] == pytest.approx(there["score"], abs=TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("wordpiece", "BertForTokenClassification"),
        ("byte-level", "RobertaForTokenClassification"),
        ("unigram", "DistilBertForTokenClassification"),
    ],
)
def test_token_classification(ask: Ask, tmp_path: Path, kind: str, architecture: str) -> None:
    texts = [text for text in TEXTS if text]
    given = ask({"text": texts}, kind, architecture, id2label=NER)["entities"]
    find = make_pipeline("token-classification", tmp_path / "model", aggregation_strategy="simple")
    for text, mine in zip(texts, given, strict=True):
        for entity in (theirs := find(text)):
            for key in ("start", "end"):
                entity[key] = len(text[: entity[key]].encode("utf-16-le")) // 2
        named = [{name: value for name, value in entity.items() if name != "score"} for entity in mine]
        assert named == [{name: value for name, value in entity.items() if name != "score"} for entity in theirs], text
        same_scores([entity["score"] for entity in mine], [float(entity["score"]) for entity in theirs])


@pytest.mark.parametrize(
    ("kind", "architecture", "mask", "backend"),
    [
        ("wordpiece", "BertForMaskedLM", "[MASK]", "wasm"),
        ("byte-level", "RobertaForMaskedLM", "<mask>", "wasm"),
        ("unigram", "DistilBertForMaskedLM", "[MASK]", "webgpu"),
    ],
)
def test_fill_mask(ask: Ask, tmp_path: Path, kind: str, architecture: str, mask: str, backend: str) -> None:
    texts = [f"{text[:40]} {mask} {text[40:80]}" for text in (TEXTS if backend == "wasm" else SHORT_TEXTS)]
    texts[1] += f" {mask}"
    given = ask({"text": texts, "top_k": 4}, kind, architecture, backend=backend)["fills"]
    fill = make_pipeline("fill-mask", tmp_path / "model", top_k=4)
    for text, mine in zip(texts, given, strict=True):
        theirs = fill(text)
        theirs = theirs if isinstance(theirs[0], list) else [theirs]
        for here, there in zip(mine, theirs, strict=True):
            same_scores([each["score"] for each in here], [each["score"] for each in there])
            for one, other in zip(here, there, strict=True):
                apart = [abs(each["score"] - other["score"]) for each in there if each is not other]
                if min(apart) > TOLERANCE:
                    assert {name: one[name] for name in ("token", "token_str", "sequence")} == {
                        name: other[name] for name in ("token", "token_str", "sequence")
                    }
    failure = ask({"text": ["no gap"]}, kind, architecture)
    assert failure["code"] == "bad-input" and f"needs a gap, written {mask}; it has none." in failure["message"]


def test_zero_shot_classification(ask: Ask, tmp_path: Path) -> None:
    model = ("wordpiece", "BertForSequenceClassification")
    labels, template = ["sport", "politics", "the art of cooking"], "This text is about {}."
    classify = None
    for index, text in enumerate(text for text in TEXTS if text):
        options = {"multi_label": bool(index % 2)} | ({"hypothesis_template": template} if index % 3 else {})
        input = {"text": text, "candidate_labels": labels[: 1 + index % 3], **options}
        given = ask(input, *model, id2label=NLI)
        classify = classify or make_pipeline("zero-shot-classification", tmp_path / "model")
        wanted = classify(text, input["candidate_labels"], **options)
        assert given["labels"] == wanted["labels"], text
        same_scores(given["scores"], wanted["scores"])
    bad = ask({"text": "a", "candidate_labels": ["b"], "hypothesis_template": "no place"}, *model)
    assert "has no {} where the label goes" in bad["message"]


@pytest.mark.parametrize("kind", ["wordpiece", "byte-level"])
def test_text_ranking(ask: Ask, tmp_path: Path, kind: str) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    name = "BertForSequenceClassification" if kind == "wordpiece" else "RobertaForSequenceClassification"
    documents = list(TEXTS)
    settings = {"task": "text-ranking", "num_labels": 1}
    given = ask({"query": TEXTS[0], "documents": documents}, kind, name, **settings)["results"]
    encoder = sentence_transformers.CrossEncoder(str(tmp_path / "model"), device="cpu", local_files_only=True)
    wanted = encoder.rank(TEXTS[0], documents)
    same_scores([each["score"] for each in given], [float(each["score"]) for each in wanted])
    scores = {each["corpus_id"]: float(each["score"]) for each in wanted}
    for here, there in zip(given, wanted, strict=True):
        assert here["index"] == there["corpus_id"] or scores[here["index"]] == pytest.approx(
            float(there["score"]), abs=TOLERANCE
        )


def test_sentence_similarity(ask: Ask, tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    sentences = list(TEXTS)
    input = {"source_sentence": TEXTS[0], "sentences": sentences}
    given = ask(input, "wordpiece", "BertModel", task="sentence-similarity")["scores"]
    from sentence_transformers.models import Pooling, Transformer

    transformer = Transformer(str(tmp_path / "model"))
    pooling = Pooling(32)
    model = sentence_transformers.SentenceTransformer(modules=[transformer, pooling], device="cpu")
    embeddings = model.encode([TEXTS[0], *sentences])
    same_scores(given, model.similarity(embeddings[:1], embeddings[1:])[0].tolist())
