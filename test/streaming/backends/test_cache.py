from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fastsam2_ros.errors import ModelError
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
    assert "No export can be kept" in caplog.text


def test_another_process_may_be_first(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Exports()
    theirs.count = 6

    def export(folder: Path) -> None:
        assert theirs.get() == 7
        (folder / "model").write_text("1")

    monkeypatch.setattr(exports, "export", export)
    assert exports.get() == 7
    assert len(entries()) == 1


def test_it_is_loaded_from_where_it_stays(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runtimes go on writing beside an export: TensorRT its engine, with the first image."""
    monkeypatch.setattr(exports, "load", lambda folder: folder)
    first, second = exports.get(), exports.get()
    assert [first] == [second] == entries()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), RuntimeError("Can't write")])
def test_where_the_disk_fills_up_it_is_used_and_not_kept(exports: Exports, monkeypatch, caplog, error) -> None:
    def export(folder: Path) -> None:
        (folder / "model").write_text("5")
        if cache_folder() in folder.parents:
            raise error

    monkeypatch.setattr(exports, "export", export)
    assert exports.get() == 5
    assert entries() == []
    assert str(error) in caplog.text


def test_where_the_disk_fills_up_after_another_process_was_first_there_is_an_export(
    exports: Exports, monkeypatch
) -> None:
    def export(folder: Path) -> None:
        (folder / "model").write_text("5")
        if cache_folder() in folder.parents:
            Exports().get()
            raise OSError(errno.ENOSPC, "No space left")

    monkeypatch.setattr(exports, "export", export)
    assert exports.get() == 5


def test_what_is_written_short_without_a_word_is_not_kept(exports: Exports, monkeypatch) -> None:
    def export(folder: Path) -> None:
        (folder / "model").write_text("" if cache_folder() in folder.parents else "5")

    monkeypatch.setattr(exports, "export", export)
    assert exports.get() == 5
    assert entries() == []


def test_what_can_be_exported_nowhere_is_told_with_the_way_out(exports: Exports, monkeypatch) -> None:
    def export(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left")

    monkeypatch.setattr(exports, "export", export)
    with pytest.raises(
        ModelError, match=r"tiny-runtime can be exported neither .*No space left.*model\.backend to torch"
    ):
        exports.get()


@pytest.mark.parametrize("name", ["/etc/model.yaml", "../model", "a" * 300], ids=["absolute", "above", "long"])
def test_an_export_of_any_name_is_in_the_cache(exports: Exports, name: str) -> None:
    assert load_cached(name, ABOUT, exports.export, exports.load) == 1
    assert [entry.parent for entry in entries()] == [cache_folder()]


def test_the_folder_is_that_of_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path(os.path.expanduser("~/.cache/fastsam2_ros"))
