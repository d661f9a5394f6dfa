from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming import cpu_features, loading


@pytest.mark.parametrize(
    ("line", "able"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 sse", True),
        ("flags\t\t: fpu amx_bf16", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("flags\t\t: fpu avx512f avx2", False),
        ("model name\t: bf16 processor", False),
        ("", False),
    ],
)
def test_bf16_is_among_the_flags(tmp_path: Path, line: str, able: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\n")
    assert cpu_features.has_bf16(tmp_path / "cpuinfo") is able


def test_nothing_is_promised_where_nothing_is_known(tmp_path: Path) -> None:
    assert not cpu_features.has_bf16(tmp_path / "none")


def test_bf16_on_a_cpu_that_lacks_it_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_features, "has_bf16", lambda: False)
    with pytest.raises(ModelError, match=r"this CPU lacks.*fp32"):
        loading.find_precision("bf16", torch.device("cpu"))


@pytest.mark.parametrize(("architecture", "able"), [("x86_64", True), ("aarch64", False)])
def test_openvino_computes_in_bf16_on_x86_alone(monkeypatch, architecture, able):
    monkeypatch.setattr(cpu_features, "machine", lambda: architecture)
    monkeypatch.setattr(cpu_features, "has_bf16", lambda: True)
    assert cpu_features.openvino_has_bf16() is able
