from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastsam2_ros.streaming.backends import cache
from fastsam2_ros.streaming.backends.cache import cache_folder, load_cached

ABOUT = {"weights": "abc", "image_size": 512}


class Exports:
    """Exports a number that counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def export(self, folder: Path) -> None:
        self.count += 1
        (folder / "model").write_text(str(self.count))

    def load(self, folder: Path) -> int:
        return int((folder / "model").read_text())

    def get(self, about: dict[str, object] = ABOUT) -> int:
        return load_cached("tiny-runtime", about, self.export, self.load)


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exports:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Exports()


def entries() -> list[Path]:
    return sorted(cache_folder().iterdir())


def test_it_is_exported_once(exports: Exports) -> None:
    assert [exports.get(), exports.get()] == [1, 1]
    assert len(entries()) == 1


def test_other_weights_are_another_export(exports: Exports) -> None:
    assert [exports.get(), exports.get({**ABOUT, "weights": "abd"})] == [1, 2]


def test_exporting_is_told(exports: Exports, caplog: pytest.LogCaptureFixture) -> None:
    exports.get()
    assert f"tiny-runtime: exported to {entries()[0]}" in caplog.text


@pytest.mark.parametrize("content", [None, "", "7"], ids=["gone", "empty", "another"])
def test_a_damaged_file_is_exported_anew(exports: Exports, caplog: pytest.LogCaptureFixture, content) -> None:
    exports.get()
    file = entries()[0] / "model"
    file.unlink() if content is None else file.write_text(content)
    assert [exports.get(), exports.get()] == [2, 2]
    assert "is damaged" in caplog.text


def test_a_damaged_manifest_is_exported_anew(exports: Exports) -> None:
    exports.get()
    (entries()[0] / "export.json").write_text('{"files')
    assert exports.get() == 2


def test_an_export_that_breaks_off_leaves_nothing(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(folder: Path) -> None:
        (folder / "model").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(exports, "export", break_off)
    with pytest.raises(KeyboardInterrupt):
        exports.get()
    assert entries() == []


def test_where_the_cache_cannot_be_written_it_is_used_and_not_kept(exports: Exports, tmp_path: Path, caplog) -> None:
    cache_folder().parent.joinpath(cache_folder().name).write_text("a file where the folder should be")
    assert [exports.get(), exports.get()] == [1, 2]
    assert "not kept" in caplog.text


def test_another_process_may_be_first(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    exports.get()
    (entry,) = entries()
    monkeypatch.setattr(cache, "_check", lambda folder: (_ for _ in ()).throw(ValueError("not seen yet")))
    monkeypatch.setattr(cache.shutil, "rmtree", lambda folder, ignore_errors: None)
    assert exports.get() == 2
    assert (entry / "model").read_text() == "1"


def test_the_folder_is_that_of_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path(os.path.expanduser("~/.cache/fastsam2_ros"))
