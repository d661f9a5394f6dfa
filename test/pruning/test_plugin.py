"""`prune` on upstream's predictor: what it leaves as it was, what it drops, and that states stay apart."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from small_models import small_sam2

import fastsam2_ros
from fastsam2_ros import prune, unprune
from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import InputError, ModelError
from fastsam2_ros.lab.evaluation.upstream import PREDICTOR
from fastsam2_ros.pruning import budget, hooks, loaded_video, pruner
from fastsam2_ros.pruning.plugin import MOTION
from fastsam2_ros.pruning.upstream_memory import memory_of, pruned
from fastsam2_ros.streaming.rotary import RotaryTable
from fastsam2_ros.streaming.shares import TokenShares
from fastsam2_ros.streaming.warp import moved

FRAMES = 20
SHORT = 8
"""Frames where more would say no more: past the seven of memory."""
SIZE = (96, 128)  # H, W
TOKENS = 256
KEEP = 0.16
QUERIES, KEYS = round(KEEP * TOKENS), round(KEEP ** (1 / 3) * TOKENS)
"""What this keep ratio leaves of a frame, and of each memory frame."""
BOX = (20, 20, 70, 80)


def save(folder, frames):
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{index:05d}.jpg", quality=95)
    return str(folder)


def smooth_noise(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return cv2.resize(coarse, (2 * SIZE[1], 2 * SIZE[0]), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A window that moves over a large picture."""
    wide = smooth_noise(0)
    frames = [wide[2 * n : 2 * n + SIZE[0], 3 * n : 3 * n + SIZE[1]] for n in range(FRAMES)]
    return save(tmp_path_factory.mktemp("video"), frames)


@pytest.fixture(scope="module")
def model():
    return small_sam2(PREDICTOR)


@pytest.fixture
def predictor(model):
    yield model
    unprune(model)


def mask():
    mask = np.zeros(SIZE, bool)
    mask[40:80, 60:110] = True
    return mask


def by_frame(propagated):
    return {index: (tuple(ids), masks.clone()) for index, ids, masks in propagated}


def session(predictor, video):
    """Two objects; a box with a point, and a mask; a correction and a further prompt on later frames; then backwards."""
    state = predictor.init_state(video)
    predictor.add_new_points_or_box(state, 0, 1, points=[[45, 50]], labels=[1], box=BOX)
    predictor.add_new_mask(state, 0, 2, mask())
    results = [by_frame(predictor.propagate_in_video(state, max_frame_num_to_track=9))]
    predictor.add_new_points_or_box(state, 8, 1, points=[[50, 50], [5, 5]], labels=[1, 0])
    predictor.add_new_points_or_box(state, 12, 2, points=[[80, 60]], labels=[1])
    results.append(by_frame(predictor.propagate_in_video(state, start_frame_idx=8)))
    results.append(by_frame(predictor.propagate_in_video(state, start_frame_idx=12, reverse=True)))
    return results


def track(predictor, video, count=FRAMES - 1, **prompt):
    state = predictor.init_state(video)
    predictor.add_new_points_or_box(state, 0, 1, **(prompt or {"box": BOX}))
    return state, by_frame(predictor.propagate_in_video(state, max_frame_num_to_track=count))


def all_same(a, b):
    return all(same(*pair) for pair in zip(a, b, strict=True))


def same(a, b):
    return a.keys() == b.keys() and all(a[i][0] == b[i][0] and torch.equal(a[i][1], b[i][1]) for i in a)


@pytest.fixture(scope="module")
def upstream(model, video):
    results = session(model, video)
    assert len(results[1]) == 12
    assert min(float(masks.std()) for part in results for _, masks in part.values()) > 0.01
    return results


@pytest.fixture(scope="module")
def one_object(model, video):
    return track(model, video, count=SHORT)[1]


@pytest.fixture
def attended(monkeypatch):
    """(queries, keys) of every call of the pruned attention."""
    calls = []
    original = hooks.attend

    def spy(attention, queries, keys):
        calls.append((queries, keys))
        return original(attention, queries, keys)

    monkeypatch.setattr(hooks, "attend", spy)
    return calls


def test_keep_one_is_upstream_bit_for_bit(predictor, video, upstream):
    prune(predictor, keep=1)
    assert all_same(session(predictor, video), upstream)


def test_all_tokens_through_the_pruned_attention_are_upstream_bit_for_bit(
    predictor, video, one_object, monkeypatch, attended
):
    prune(predictor, keep=MOTION)  # every frame gets every token, and none is ever dropped
    monkeypatch.setattr(pruner.TokenShares, "of", lambda *_: TokenShares(1.0, 1.0, 1.0))
    _, ours = track(predictor, video, count=SHORT)
    assert len(attended) == SHORT
    assert same(ours, one_object)


def test_memory_attention_sees_the_kept_tokens_only(predictor, video, attended):
    prune(predictor, keep=KEEP)
    track(predictor, video, count=10)
    queries = [queries.tokens.shape[1] for queries, _ in attended]
    spatial = [keys.angles.shape[2] for _, keys in attended]
    assert queries == [TOKENS] + [QUERIES] * 9  # nothing stands in for pruned queries right after a prompt
    assert spatial == [KEYS * min(7, 1 + frame) for frame in range(10)]  # the prompt, and up to six frames


def test_pruned_memory_takes_less_room(predictor, video):
    def stored(state):
        outs = state["output_dict_per_obj"][0]["non_cond_frame_outputs"].values()
        return sum(out["maskmem_features"].numel() for out in outs)

    dense, _ = track(predictor, video, count=SHORT)
    prune(predictor, keep=KEEP)
    pruned, _ = track(predictor, video, count=SHORT)
    width = predictor.mem_dim
    assert stored(dense) == SHORT * TOKENS * width
    assert stored(pruned) == SHORT * KEYS * width


def test_memory_that_no_score_tells_apart_is_spread_over_the_frame():
    _, (memory, _) = pruned(torch.zeros(1, 4, 16, 16), [torch.zeros(1, 4, 16, 16)], 0, torch.zeros(TOKENS), 32)
    assert len(set((memory.tokens // 16).tolist())) == 16


@pytest.mark.parametrize("reverse", [False, True])
def test_keys_are_rotated_by_their_own_places(predictor, video, attended, reverse):
    prune(predictor, keep=0.05)
    state = predictor.init_state(video)
    predictor.add_new_points_or_box(state, 10, 1, box=BOX)
    list(predictor.propagate_in_video(state, max_frame_num_to_track=5, reverse=reverse))
    outs = state["output_dict_per_obj"][0]
    step = -1 if reverse else 1
    read = [outs["cond_frame_outputs"][10]] + [outs["non_cond_frame_outputs"][10 + step * n] for n in (1, 2, 3, 4)]
    tokens = torch.cat([memory_of(out).tokens for out in read])
    _, keys = attended[-1]
    assert keys.angles.shape[2] == len(tokens) < TOKENS
    assert torch.equal(
        keys.angles[0, 0], RotaryTable.of(predictor.memory_attention, (16, 16), predictor.device).angles[tokens]
    )


def test_pruned_queries_get_what_the_frame_before_had_there(predictor, video, attended):
    prune(predictor, keep=KEEP)
    state, _ = track(predictor, video, count=5)
    outs = state["output_dict_per_obj"][0]["non_cond_frame_outputs"]
    before, now = (outs[index]["fastsam2_pruning"].conditioned for index in (4, 5))
    camera = loaded_video.motion_between(state, 4, 5, outs[4]["pred_masks"]).camera
    assert np.abs(camera[:, 2]).min() > 0.01  # the window moves
    there = moved(before.T.unflatten(1, (16, 16))[None], camera, outside="border")[0].flatten(1).T
    assert int((there == now).all(1).sum()) == TOKENS - QUERIES


def test_pruned_masks_are_finite_and_of_the_videos_size(predictor, video, upstream):
    prune(predictor, keep=KEEP)
    results = session(predictor, video)
    for part, dense in zip(results, upstream, strict=True):
        assert part.keys() == dense.keys()
        for index, (ids, masks) in part.items():
            assert ids == dense[index][0]
            assert masks.shape == (2, 1, *SIZE)
            assert masks.isfinite().all()
    assert not same(results[1], upstream[1])


def test_offloaded_states_give_the_same(predictor, video):
    prune(predictor, keep=0.05)
    _, expected = track(predictor, video, count=6)
    state = predictor.init_state(video, offload_video_to_cpu=True, offload_state_to_cpu=True)
    predictor.add_new_points_or_box(state, 0, 1, box=BOX)
    assert same(by_frame(predictor.propagate_in_video(state, max_frame_num_to_track=6)), expected)


def test_unprune_restores_the_instance(predictor, video, one_object):
    before = dict(predictor.__dict__), dict(predictor.memory_attention.__dict__)
    prune(predictor, keep=KEEP)
    prune(predictor, keep=0.5)
    assert dict(predictor.__dict__).keys() != before[0].keys()
    unprune(predictor)
    assert (dict(predictor.__dict__), dict(predictor.memory_attention.__dict__)) == before
    assert same(track(predictor, video, count=SHORT)[1], one_object)


def test_unprune_puts_back_what_the_instance_had_of_its_own(predictor):
    """As upstream's compiled predictor has."""
    own = predictor.memory_attention.forward
    predictor.memory_attention.forward = own
    prune(predictor)
    unprune(predictor)
    assert predictor.memory_attention.__dict__.pop("forward") is own


def test_pruning_again_replaces_the_settings(predictor, video, one_object):
    prune(predictor, keep=KEEP)
    prune(predictor, keep=1.0)
    assert same(track(predictor, video, count=SHORT)[1], one_object)


def test_two_states_do_not_disturb_one_another(predictor, video):
    prune(predictor, keep=KEEP)
    other = {"points": [[90, 60]], "labels": [1]}
    alone = track(predictor, video, count=SHORT)[1], track(predictor, video, count=SHORT, **other)[1]
    states = predictor.init_state(video), predictor.init_state(video)
    predictor.add_new_points_or_box(states[0], 0, 1, box=BOX)
    predictor.add_new_points_or_box(states[1], 0, 1, **other)
    runs = [predictor.propagate_in_video(state, max_frame_num_to_track=SHORT) for state in states]
    together = {}, {}
    for steps in zip(*runs, strict=True):
        for found, (index, ids, masks) in zip(together, steps, strict=True):
            found[index] = tuple(ids), masks.clone()
    assert not same(*together)
    assert all_same(together, alone)


def test_two_states_in_two_threads_give_what_they_give_alone(predictor, video, monkeypatch):
    prune(predictor, keep=KEEP)
    prompts = {"box": BOX}, {"points": [[90, 60]], "labels": [1]}
    alone = [track(predictor, video, count=SHORT, **prompt)[1] for prompt in prompts]
    both = Barrier(2, timeout=60)
    read_memory = predictor._prepare_memory_conditioned_features

    def together_in_a_frame(**arguments):
        both.wait()
        return read_memory(**arguments)

    monkeypatch.setattr(predictor, "_prepare_memory_conditioned_features", together_in_a_frame)
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda prompt: track(predictor, video, count=SHORT, **prompt)[1], prompts))
    assert all_same(together, alone)


def test_a_session_that_began_unpruned_goes_on(predictor, video, attended):
    state, _ = track(predictor, video, count=6)
    prune(predictor, keep=KEEP)
    results = by_frame(predictor.propagate_in_video(state, start_frame_idx=7))
    assert all(masks.isfinite().all() for _, masks in results.values())
    assert attended[0][0].tokens.shape[1] == QUERIES  # the second frame; the first has all tokens and earlier memory
    assert attended[0][1].angles.shape[2] == 6 * TOKENS + KEYS


def test_reset_and_removed_objects_leave_no_trace(predictor, video):
    prune(predictor, keep=KEEP)
    _, expected = track(predictor, video, count=6)
    state = predictor.init_state(video)
    predictor.add_new_mask(state, 0, 5, mask())
    list(predictor.propagate_in_video(state, max_frame_num_to_track=6))
    predictor.reset_state(state)
    predictor.add_new_mask(state, 0, 7, mask())
    predictor.add_new_points_or_box(state, 0, 1, box=BOX)
    predictor.remove_object(state, 7)
    assert same(by_frame(predictor.propagate_in_video(state, max_frame_num_to_track=6)), expected)


def test_motion_raises_the_keep_ratio(predictor, video, tmp_path, attended, monkeypatch):
    monkeypatch.setattr(budget, "ROOM", 0.0)  # the masks of random weights are large, and raise it too
    prune(predictor, keep=MOTION)
    track(predictor, video)
    moving = [queries.tokens.shape[1] for queries, _ in attended]
    attended.clear()
    track(predictor, save(tmp_path, [smooth_noise(0)[: SIZE[0], : SIZE[1]]] * FRAMES))
    still = [queries.tokens.shape[1] for queries, _ in attended]
    assert still[-1] < moving[-1]
    assert still == sorted(still, reverse=True)


def test_a_large_mask_raises_the_keep_ratio(predictor, video, attended):
    prune(predictor, keep=MOTION)
    state, _ = track(predictor, video, count=4)
    outs = next(iter(state["output_dict_per_obj"].values()))["non_cond_frame_outputs"]
    covered = float((outs[2]["pred_masks"] > 0).float().mean())
    assert attended[-1][0].tokens.shape[1] >= covered * TOKENS > 0.253 * TOKENS  # more than motion could give


def small_clip(folder):
    """Random weights of a tiny open_clip model."""
    path = folder / "tiny.json"
    path.write_text(
        '{"embed_dim": 16, "vision_cfg": {"image_size": 64, "layers": 1, "width": 64, "patch_size": 16},'
        ' "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}}'
    )
    return LanguageConfig(name=str(path), weights="untrained", image_size=64)


@torch.inference_mode()
def test_a_text_is_a_cue(predictor, video, tmp_path, monkeypatch):
    prune(predictor, keep=KEEP)
    _, without = track(predictor, video, count=4)
    prune(predictor, text="red mug; spoon", keep=KEEP, language=small_clip(tmp_path))
    frame_cues, seen = pruner.TokenPruner.frame_cues, []
    monkeypatch.setattr(
        pruner.TokenPruner,
        "frame_cues",
        lambda own, tokens, states, text: seen.append(text) or frame_cues(own, tokens, states, text),
    )
    _, found = track(predictor, video, count=4)
    assert {text.shape for text in seen} == {(1, TOKENS)}
    assert min(text.std() for text in seen) > 0
    assert not same(found, without)


def test_relevance_is_learnt_per_state_and_text(predictor, video, tmp_path, monkeypatch):
    language, new_map, made = small_clip(tmp_path), loaded_video.RelevanceMap, []
    monkeypatch.setattr(loaded_video, "RelevanceMap", lambda scale: made.append(scale) or new_map(scale))
    prune(predictor, text="red mug", language=language)
    states = [track(predictor, video, count=2)[0] for _ in range(2)]
    assert len(made) == 2
    list(predictor.propagate_in_video(states[0], start_frame_idx=2, max_frame_num_to_track=1))
    assert len(made) == 2
    prune(predictor, text="spoon", language=language)
    list(predictor.propagate_in_video(states[0], start_frame_idx=3, max_frame_num_to_track=1))
    assert len(made) == 3


def test_without_a_text_no_language_model_is_loaded(predictor, monkeypatch):
    monkeypatch.setattr(loaded_video.Clip, "load", lambda *_: pytest.fail("loaded"))
    prune(predictor)


@pytest.mark.parametrize("keep", [0, -0.1, 1.5, float("nan"), True, "auto", None])
def test_a_share_that_is_none_is_refused(predictor, keep):
    with pytest.raises(InputError, match="above 0 and up to 1, or 'motion'"):
        prune(predictor, keep=keep)


@pytest.mark.parametrize("function", [prune, unprune])
def test_another_model_is_refused(function):
    with pytest.raises(InputError, match=r"Linear; a sam2\..*SAM2VideoPredictor is expected"):
        function(torch.nn.Linear(1, 1))


def test_a_refused_setting_leaves_the_old_one(predictor):
    prune(predictor, keep=KEEP)
    before = dict(predictor.__dict__)
    for wrong in ({"text": " "}, {"text": "mug", "language": LanguageConfig(name="no such model")}):
        with pytest.raises((InputError, ModelError)):
            prune(predictor, **wrong)
    assert dict(predictor.__dict__) == before


def test_the_names_are_lazy():
    program = "import sys, fastsam2_ros; assert 'torch' not in sys.modules and 'sam2' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert {"prune", "unprune"} <= set(fastsam2_ros.__all__)
