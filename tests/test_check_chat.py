"""`check` on a site that talks: a chat through its page, and an answer of its own that must be the original's."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from webgpu_kit.check import check_site
from webgpu_kit.report.files import write_report


def test_a_site_that_talks_agrees_and_holds_a_chat(built_q8_speaker: Path, tmp_path: Path) -> None:
    report = check_site(built_q8_speaker, backends=("wasm",), worlds=False)
    assert report.ok, report.verdict
    [pair] = report.pairs
    assert pair.agreement and pair.agreement.greedy and pair.page
    assert pair.agreement.top_1_agreement == pair.agreement.greedy_agreement == 1.0
    assert pair.agreement.greedy.compared >= 64
    assert [turn.action for turn in pair.page.chat] == ["sent", "stopped", "answered again"]
    assert all(turn.cached_tokens > 0 and turn.tokens > 0 for turn in pair.page.chat[1:])
    html = write_report(report, tmp_path).read_text(encoding="utf-8")
    assert "answer, 80 tokens out of 80" in html and "A chat on the page" in html
    assert (tmp_path / "q8-wasm-phone.png").is_file()


def test_an_answer_that_is_not_the_originals_fails_with_its_place(built_q8_speaker: Path, tmp_path: Path) -> None:
    site = Path(shutil.copytree(built_q8_speaker, tmp_path / "site"))
    manifest_path = site / "model" / "manifest.json"
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    golden = json.loads((site / "model" / manifest["golden"]["path"]).read_text(encoding="utf-8"))
    [answer] = golden["answers"]
    place = next(index for index in range(20, 60) if answer["ends"][index] > answer["ends"][index - 1])
    start = answer["ends"][place - 1]
    answer["text"] = answer["text"][:start] + "⚓" + answer["text"][start + 1 :]
    answer["margins"][place] = 1.5
    answer["prompt_tokens"] += 1
    content = json.dumps(golden).encode()
    digest = hashlib.sha256(content).hexdigest()
    (site / "model" / f"golden.{digest[:16]}.json").write_bytes(content)
    manifest["golden"].update(path=f"golden.{digest[:16]}.json", sha256=digest)
    manifest_path.write_text(json.dumps(manifest), encoding="utf-8")
    [pair] = check_site(site, backends=("wasm",), worlds=False).pairs
    assert pair.verdict == "failed"
    assert "its chat template or tokenizer differs" in pair.reason
    assert "of 80 tokens the page says" in pair.reason and "'⚓'" in pair.reason
