from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from fastsam2_ros.config import LanguageConfig, ModelConfig, PruningConfig, TrackerConfig
from fastsam2_ros.errors import FastSam2Error, InputError
from fastsam2_ros.lab.evaluation.ablation import store
from fastsam2_ros.lab.evaluation.ablation.policies import DENSE as DENSE_NAME
from fastsam2_ros.lab.evaluation.ablation.policies import KEEP, Policy, Variant
from fastsam2_ros.lab.evaluation.ablation.store import Results, key, missing, plan, run_jobs
from fastsam2_ros.lab.evaluation.ablation.study import conduct
from fastsam2_ros.lab.evaluation.datasets import open_dataset

from ..footage import ids, write_davis
from .measurements import measurement

CONFIG = TrackerConfig(
    model=ModelConfig(name="mini", checkpoint="untrained", device="cpu"),
    pruning=PruningConfig(keep_ratio=1.0),
    language=LanguageConfig(name="none"),
)
DENSE = Variant(CONFIG)
HALF = Variant(replace(CONFIG, pruning=PruningConfig(keep_ratio=0.5)))


def pruned(**pruning) -> Variant:
    return Variant(replace(CONFIG, pruning=PruningConfig(**pruning)))


def with_model(**model) -> Variant:
    return Variant(replace(CONFIG, model=replace(CONFIG.model, **model)))


@pytest.fixture
def dataset(tmp_path: Path):
    masks = [ids(o1=0), ids(o1=2), ids(o1=4)]
    write_davis(tmp_path / "data", {"a": masks, "b": masks})
    return open_dataset(tmp_path / "data")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Which policies were measured on which sequence."""
    calls: list[tuple[str, list[str]]] = []

    def fake(sequence, policies, dense):
        calls.append((sequence.name, sorted(policies)))
        return {name: measurement(each.config.pruning.keep_ratio) for name, each in policies.items()}

    monkeypatch.setattr(store, "measure", fake)
    return calls


def measured(dataset, folder: Path, policies: dict[str, Variant]) -> Results:
    results = Results()
    assert len(list(run_jobs(plan(dataset, policies, DENSE, folder, None), 1, results))) == len(dataset.names)
    return results


def test_what_is_measured_is_not_measured_again(dataset, tmp_path: Path, asked) -> None:
    first = measured(dataset, tmp_path / "runs", {"dense": DENSE})
    again = measured(dataset, tmp_path / "runs", {"dense": DENSE})
    assert asked == [("a", ["dense"]), ("b", ["dense"])]
    assert again == first


def test_a_policy_that_is_added_is_measured_alone(dataset, tmp_path: Path, asked) -> None:
    measured(dataset, tmp_path / "runs", {"dense": DENSE})
    results = measured(dataset, tmp_path / "runs", {"dense": DENSE, "half": HALF})
    assert asked[2:] == [("a", ["half"]), ("b", ["half"])]
    assert results.measurements["data/a"] == {"dense": measurement(1.0), "half": measurement(0.5)}
    assert results.groups["data/a"] == ("data",)


def test_a_run_that_broke_off_goes_on_where_it_was(dataset, tmp_path: Path, asked) -> None:
    jobs = plan(dataset, {"dense": DENSE}, DENSE, tmp_path / "runs", None)
    next(run_jobs(jobs, 1, Results()))
    measured(dataset, tmp_path / "runs", {"dense": DENSE})
    assert [name for name, _ in asked] == ["a", "b"]


def test_an_error_spoils_neither_what_is_there_nor_the_others(dataset, tmp_path: Path, asked, monkeypatch) -> None:
    measured(dataset, tmp_path / "runs", {"dense": DENSE})

    def broken(sequence, policies, dense):
        if sequence.name == "a":
            raise InputError("damaged")
        return {name: measurement(0.5) for name in policies}

    monkeypatch.setattr(store, "measure", broken)
    jobs = plan(dataset, {"dense": DENSE, "half": HALF}, DENSE, tmp_path / "runs", None)
    outcomes = {done.job.sequence: done.error for done in run_jobs(jobs, 1, Results())}
    assert (str(outcomes["a"]), outcomes["b"]) == ("damaged", None)
    assert [list(missing(job)) for job in jobs] == [["half"], []]


def test_a_study_names_what_failed_and_logs_warnings(dataset, tmp_path: Path, monkeypatch, caplog) -> None:
    def broken(sequence, policies, dense):
        logging.getLogger("fastsam2_ros").warning("frame 1 is dark")
        if sequence.name == "a":
            raise InputError("damaged")
        return {name: measurement(1.0) for name in policies}

    monkeypatch.setattr(store, "measure", broken)
    with pytest.raises(FastSam2Error, match="1 of 2 failed, the others are done: a"):
        conduct([Policy(DENSE_NAME, KEEP, "g", {"pruning.keep_ratio": 1.0})], CONFIG, [dataset], tmp_path / "runs", {})
    assert "a: damaged" in caplog.text
    assert "b: frame 1 is dark" in caplog.text


def test_shorter_sequences_are_others(dataset, tmp_path: Path) -> None:
    long, short = (plan(dataset, {}, DENSE, tmp_path, frames)[0].file for frames in (None, 3))
    assert long != short


def test_settings_decide_on_the_key() -> None:
    assert key(DENSE) == key(replace(DENSE))
    assert len({key(DENSE), key(HALF), key(with_model(seed=1)), key(replace(DENSE, random_tokens=True))}) == 4


def test_the_budget_decides_where_the_ratio_is_not_fixed() -> None:
    for keep_ratio, count in ((0.5, 1), (0.0, 2)):
        assert len({key(pruned(keep_ratio=keep_ratio, max_keep_ratio=high)) for high in (0.6, 0.7)}) == count


@pytest.mark.parametrize(
    ("pruning", "count"),
    [({"keep_ratio": 0.5}, 2), ({"keep_ratio": 1.0}, 1)],
    ids=["some tokens", "all tokens"],
)
def test_cues_decide_where_they_are_looked_at(pruning, count) -> None:
    assert len({key(pruned(**pruning, text_weight=weight)) for weight in (0.0, 0.3)}) == count


def test_the_weights_decide_on_the_key_and_not_their_name(tmp_path: Path) -> None:
    keys = []
    for content in (b"one", b"other"):
        file = tmp_path / f"{len(keys)}"
        file.mkdir()
        (file / "w.pt").write_bytes(content)
        keys.append(key(with_model(checkpoint=str(file / "w.pt"))))
    assert keys[0] != keys[1]
    (tmp_path / "1" / "w.pt").write_bytes(b"third!")
    assert key(with_model(checkpoint=str(tmp_path / "1" / "w.pt"))) != keys[1]
