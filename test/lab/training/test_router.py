"""Training of the learned router, from the teacher's samples to the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from fastsam2_ros.bags.messages import IMAGE, image_message
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.cli import main
from fastsam2_ros.config import LanguageConfig, ModelConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation import upstream
from fastsam2_ros.lab.training import router
from fastsam2_ros.lab.training.loop import CURVES, Settings, Trainer
from fastsam2_ros.lab.training.recordings import Recording, Shown, Stored, Worlds
from fastsam2_ros.lab.training.router import RouterTask, hit_rate
from fastsam2_ros.lab.training.teacher import Sample, samples, token_labels
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning.cues import CUES
from fastsam2_ros.pruning.learned import load
from fastsam2_ros.streaming.loading import LoadedSam2, find_config, load_sam2
from fastsam2_ros.streaming.model import StreamingSam2

CPU = torch.device("cpu")
CONFIG = TrackerConfig(language=LanguageConfig(name=NONE), uncertain_score=0.0)
BOX = (10.0, 10.0, 40.0, 30.0)
FRAMES = upstream.noise_video(5, (64, 96))
WORLDS = Worlds(frames=3, size=(64, 96), validations=1)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> str:
    """The mini configuration at 128 px: 8 x 8 tokens."""
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    settings = OmegaConf.load(find_config("mini"))
    settings.model.image_size = 128
    OmegaConf.save(settings, path)
    return str(path)


@pytest.fixture(scope="module")
def sam(small) -> LoadedSam2:
    loaded = load_sam2(ModelConfig(small, "untrained", device="cpu"))
    upstream.wake(loaded.streaming.model, seed=0)
    return loaded


@pytest.fixture(scope="module")
def search() -> TextSearch:
    return TextSearch(CONFIG.language, CPU)


def shown(truth: bool = True, seen: int = len(FRAMES)) -> list[Shown]:
    """A target that starts with a mask; its true mask is one pixel in the upper left corner, in the first `seen` frames."""
    start, corner = np.zeros((64, 96), bool), np.zeros((64, 96), bool)
    start[10:40, 10:60], corner[0, 0] = True, True
    masks = [{7: corner} if index < seen else {} for index in range(len(FRAMES))]
    return [
        Shown(frame, index * 10**8, {7: (start, "thing")} if not index else {}, masks[index] if truth else None)
        for index, frame in enumerate(FRAMES)
    ]


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch):
    monkeypatch.setattr(router, "FIRST_SAMPLES", 2)


@pytest.fixture
def planted(monkeypatch):
    """The model sees the target in the left quarter of the upper half of every frame, and trusts that."""
    decode = StreamingSam2.decode

    def sees(self, features, conditioned):
        decoded = decode(self, features, conditioned)
        logits = torch.full_like(decoded.low_res, -9.0)
        logits[..., : logits.shape[-2] // 2, : logits.shape[-1] // 4] = 9.0
        sure = torch.ones_like(decoded.predicted_iou)
        return replace(decoded, low_res=logits, predicted_iou=sure, object_score=9 * sure)

    monkeypatch.setattr(StreamingSam2, "decode", sees)


def test_cells_of_the_mask_and_beside_it_are_to_be_kept():
    mask = torch.zeros(32, 32, dtype=torch.bool)
    mask[4:8, 8:10] = True  # fills the row of cells; its upper, lower and left borders touch the cells beside it
    kept = token_labels(mask, (8, 8)).reshape(8, 8)
    assert kept.nonzero().tolist() == [[r, c] for r in (0, 1, 2) for c in (1, 2)]


def test_an_empty_mask_has_nothing_to_keep():
    assert not token_labels(torch.zeros(5, 9, dtype=torch.bool), (8, 8)).any()


def test_true_masks_label_every_frame_after_the_first(sam, search):
    found = list(samples(sam, search, CONFIG, Recording("a", lambda: iter(shown()))))
    assert len(found) == 4
    for sample in found:
        assert sample.tokens.shape == (64, 128)
        assert sample.maps.shape == (2, len(CUES), 64)
        assert sample.labels.nonzero().flatten().tolist() == [0]


def test_all_cues_are_learnt_from_though_the_sum_has_some_off(sam, search):
    (sample, *_) = samples(sam, search, CONFIG, Recording("a", lambda: iter(shown())))
    known = {name for name, maps in zip(CUES, sample.maps.transpose(0, 1), strict=True) if maps.any()}
    assert known >= {"mask", "context", "appearance", "uncertainty"}


def test_frames_in_which_the_target_is_not_seen_are_left_out(sam, search):
    assert len(list(samples(sam, search, CONFIG, Recording("a", lambda: iter(shown(seen=3)))))) == 2


def test_only_the_frames_of_the_part_are_learned_from(sam, search):
    part = Recording("a", lambda: iter(shown()), first=2, last=4)
    assert len(list(samples(sam, search, CONFIG, part))) == 2


def test_without_truth_the_trackers_own_mask_is_the_label(sam, search, planted):
    found = list(samples(sam, search, CONFIG, Recording("a", lambda: iter(shown(truth=False)))))
    assert len(found) == 4
    for sample in found:
        # Four by two cells, and those that the border touches.
        assert sample.labels.reshape(8, 8).nonzero().tolist() == [[r, c] for r in range(5) for c in range(3)]


def test_queries_know_the_last_mask_and_memory_knows_the_frames_own(sam, search, planted):
    """The target starts with a mask in another place than where it is seen from the next frame on."""
    first = next(iter(samples(sam, search, CONFIG, Recording("a", lambda: iter(shown(truth=False))))))
    query, memory = first.maps[:, CUES.index("mask")].reshape(2, 8, 8)
    assert memory[:4, :2].min() > 0.99
    assert memory[6:].max() < 0.01
    assert not torch.equal(query, memory)


def test_a_mask_that_the_tracker_does_not_trust_teaches_nothing(sam, search, planted):
    doubting = replace(CONFIG, uncertain_score=1.0)
    assert not list(samples(sam, search, doubting, Recording("a", lambda: iter(shown(truth=False)))))


def test_hit_rate_is_the_share_of_what_can_be_kept():
    labels = torch.tensor([True, True, True, False, False, False, False, False, False, False])
    scores = torch.linspace(1, 0, 10)
    assert hit_rate(scores, labels, 0.3) == 1.0
    assert hit_rate(scores, labels, 0.1) == 1.0
    assert hit_rate(-scores, labels, 0.3) == 0.0
    assert hit_rate(-scores, labels, 0.8) == pytest.approx(1 / 3)


def settings(out, **more) -> Settings:
    return Settings(out, CPU, steps=6, warmup=1, validations=2, learning_rate=3e-3, **more)


def test_learns_on_the_generated_world_and_its_file_loads(sam, small, tmp_path):
    figures = Trainer(RouterTask(sam, CONFIG, WORLDS), settings(tmp_path)).run()
    uses = [f"{use} {keep}" for use in ("query", "memory") for keep in (0.3, 0.1)]
    assert set(figures) == {f"val {scorer} {use}" for scorer in ("router", "sum", "random") for use in uses}
    assert all(0 <= value <= 1 for value in figures.values())
    assert load(tmp_path / "router.safetensors", small, 128).of_cues.weight.any()
    assert (tmp_path / CURVES).exists()


def test_a_stopped_training_goes_on(sam, tmp_path):
    Trainer(RouterTask(sam, CONFIG, WORLDS), settings(tmp_path, stop_after=2)).run()
    resumed = Trainer(RouterTask(sam, CONFIG, WORLDS), settings(tmp_path))
    assert resumed.state.step == 2
    resumed.run()
    assert resumed.state.step == 6


def test_one_batch_is_learnt_by_heart(sam):
    task = RouterTask(sam, CONFIG, WORLDS)
    batch = next(task.phases[0].batches(0, 0))
    optimizer = torch.optim.Adam(task.model.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        loss, terms = task.loss(batch, 0, 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert set(terms) == {"loss query", "loss memory"}
    assert losses[0] == pytest.approx(0.69, abs=0.1)
    assert losses[-1] < 0.4 * losses[0]


def test_a_full_pool_takes_a_new_sample_in_place_of_another(monkeypatch):
    monkeypatch.setattr(router, "POOL_BYTES", 10 * 4)
    pool: list[Sample] = []
    for number in range(50):
        tokens = torch.full((1, 1), float(number), dtype=torch.float16)
        router.put(pool, Sample(tokens, tokens[:0], tokens[0] > 0), np.random.default_rng(number))
    assert len(pool) == 13  # of 3 bytes each
    assert max(float(sample.tokens) for sample in pool) == 49


def test_what_nothing_is_seen_in_is_told_at_once(sam):
    source = Stored([Recording(name, lambda: iter(shown(seen=0))) for name in ("a", "b")])
    with pytest.raises(InputError, match="no target that it trusts in b"):
        next(RouterTask(sam, CONFIG, source).phases[0].batches(0, 0))


def test_recordings_without_any_sample_end_the_training(sam):
    good = Recording("good", lambda: iter(shown()))
    source = Stored([Recording("bad", lambda: iter(shown(seen=0))), good])
    with pytest.raises(InputError, match="no target that it trusts in bad"):
        next(RouterTask(sam, CONFIG, source).phases[0].batches(0, 0))


def test_the_command_learns_from_a_bag_without_annotation(small, planted, tmp_path, capsys):
    with BagWriter(tmp_path / "bag", "mcap") as bag:
        bag.add_topic("/image", IMAGE)
        for index in range(10):
            stamp = 10**9 + index * 10**8
            bag.write("/image", stamp, image_message(FRAMES[index % len(FRAMES)], "bgr8", stamp, "camera"))
    words = ["train", "router", "--data", str(tmp_path / "bag"), "--box", ",".join(map(str, BOX)), "--steps", "2"]
    words += ["--model", small, "--checkpoint", "untrained", "--set", "uncertain_score=0"]
    assert main([*words, "--device", "cpu", "--out", str(tmp_path / "out")]) == 0
    assert load(tmp_path / "out/router.safetensors", small, 128).width == 128
    assert "query 0.3" in capsys.readouterr().out


def test_a_target_for_the_generated_world_is_refused(tmp_path, capsys):
    assert main(["train", "router", "--text", "red mug", "--out", str(tmp_path), "--device", "cpu"]) == 2
    assert "--data" in capsys.readouterr().err
