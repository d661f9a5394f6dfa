import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import clip as clip_module
from fastsam2_ros.language.clip import Clip

from .fakes import crops_of


def frame(height=90, width=160):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def unit(vectors, dim=-1):
    norms = vectors.norm(dim=dim)
    return torch.allclose(norms, torch.ones_like(norms), atol=1e-5)


@torch.inference_mode()
def test_a_texts_embedding_is_the_mean_over_templates_of_open_clips_own(clip, model):
    templates = ("a photo of a {}.", "a much longer sentence that shows a {} from very close by.")
    tokens = open_clip.tokenize([template.replace("{}", "red mug") for template in templates])
    each = F.normalize(model.encode_text(tokens), dim=-1)
    expected = F.normalize(each.mean(0), dim=-1)
    torch.testing.assert_close(clip.embed_texts(["red mug"], templates)[0], expected, atol=1e-5, rtol=1e-4)


def test_text_embeddings_are_unit_vectors_in_the_asked_order(clip):
    a, b = clip.embed_texts(["box"]), clip.embed_texts(["mug"])
    both = clip.embed_texts(["mug", "box", "mug"])
    assert unit(both)
    torch.testing.assert_close(both, torch.cat((b, a, b)))


def test_no_texts_give_no_vectors(clip):
    assert clip.embed_texts([]).shape == (0, 32)


def test_a_text_is_encoded_once(clip, monkeypatch):
    first = clip.embed_texts(["a cached thing"])
    monkeypatch.setattr(clip_module, "encode_texts", lambda *_: pytest.fail("encoded again"))
    assert torch.equal(clip.embed_texts(["a cached thing"]), first)


def test_the_cache_of_texts_is_bounded_and_drops_the_oldest(config, monkeypatch):
    clip = Clip.load(config, torch.device("cpu"))
    monkeypatch.setattr(clip_module, "CACHED_TEXTS", 2)
    encode, encoded = clip_module.encode_texts, []
    monkeypatch.setattr(clip_module, "encode_texts", lambda *args: encoded.append(1) or encode(*args))
    for text in ("one", "two", "one", "three", "one", "three"):
        clip.embed_texts([text])
    assert len(encoded) == 3
    clip.embed_texts(["two"])
    assert len(encoded) == 4


def test_more_texts_at_once_than_the_cache_holds_are_all_embedded(config, monkeypatch):
    clip = Clip.load(config, torch.device("cpu"))
    monkeypatch.setattr(clip_module, "CACHED_TEXTS", 2)
    assert clip.embed_texts(["one", "two", "three", "four"]).shape == (4, 32)


@pytest.mark.parametrize("text", ["红色的杯子", "☕ mug", "größe", "{} {0}", "x" * 500, "!!!"])
def test_any_text_has_a_finite_embedding(clip, text):
    assert unit(clip.embed_texts([text]))


@pytest.mark.parametrize(
    ("size", "grid"),
    [((64, 64), (8, 8)), ((90, 160), (4, 8)), ((160, 90), (8, 4)), ((1, 1), (8, 8)), ((4, 1000), (1, 8))],
)
def test_dense_features_keep_the_frames_aspect(clip, size, grid):
    features = clip.dense_features(frame(*size))
    assert features.shape == (32, *grid)
    assert unit(features, dim=0)


def test_an_image_size_between_multiples_of_the_patch_is_rounded(config):
    clip = Clip.load(LanguageConfig(name=config.name, weights=config.weights, image_size=100), torch.device("cpu"))
    assert clip.dense_features(frame(64, 64)).shape == (32, 6, 6)


def test_where_no_size_is_set_a_cpu_looks_at_336_pixels(config):
    clip = Clip.load(LanguageConfig(name=config.name, weights=config.weights), torch.device("cpu"))
    assert clip.dense_features(frame(64, 64)).shape == (32, 21, 21)


def test_read_only_and_reversed_frames_are_taken(clip):
    bgr = frame()
    bgr.setflags(write=False)
    reversed_view = bgr[:, :, ::-1]
    torch.testing.assert_close(clip.dense_features(reversed_view), clip.dense_features(reversed_view.copy()))


@pytest.mark.parametrize("bad", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3))])
def test_what_is_no_frame_is_refused(clip, bad):
    with pytest.raises(InputError, match=r"A frame must be uint8 \(H, W, 3\)"):
        clip.dense_features(bad)


@torch.inference_mode()
def test_a_crop_is_what_open_clip_makes_of_that_part_of_the_frame(clip, model):
    whole = frame(200, 200)
    side, scale = 100, clip_module.CROP_CONTEXT
    margin = round((side * scale - side) / 2)
    part = whole[50 - margin : 150 + margin, 60 - margin : 160 + margin]
    image = torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float() / 255
    image = F.interpolate(image, (64, 64), mode="bicubic", antialias=True)
    mean, std = (torch.tensor(c)[:, None, None] for c in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    expected = model.encode_image((image - mean) / std, normalize=True)
    torch.testing.assert_close(clip.embed_crops(whole, [(60, 50, side, side)]), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("box", [(0, 0, 160, 90), (-50, -50, 70, 70), (159, 89, 1, 1), (10.2, 3.7, 0.3, 40)])
def test_boxes_at_and_over_the_border_give_unit_vectors(clip, box):
    assert unit(clip.embed_crops(frame(), [box]))


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, float("nan"), 5), (200, 0, 5, 5), (float("-inf"), 0, 5, 5)])
def test_boxes_without_content_are_refused(clip, box):
    with pytest.raises(InputError, match="is empty, not finite, or outside the frame of 160 x 90"):
        clip.embed_crops(frame(), [box])


def test_many_crops_are_the_same_as_each_alone(clip, monkeypatch):
    monkeypatch.setattr(clip_module, "BATCH", 2)
    boxes = [(0, 0, 20, 20), (40, 30, 60, 20), (100, 50, 30, 40)]
    together = clip.embed_crops(frame(), boxes)
    torch.testing.assert_close(together, torch.cat([clip.embed_crops(frame(), [box]) for box in boxes]))


def test_no_boxes_give_no_vectors(clip):
    assert clip.embed_crops(frame(), []).shape == (0, 32)


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that is made."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.elements = max(self.elements, made.numel())
        return made


@pytest.mark.parametrize("size", [(2, 8192), (8192, 2)])
def test_a_crop_of_a_long_frame_is_never_a_large_square(clip, size):
    with Largest() as largest:
        crops = clip.embed_crops(frame(*size), [(0.0, 0.0, float(size[1]), float(size[0]))])
    assert unit(crops)
    assert largest.elements < 3_000_000  # a square of 9,830 pixels has 290 million


@pytest.mark.parametrize(
    "box",
    [(40.0, 10.0, 60.0, 50.0), (0.0, 0.0, 160.0, 20.0), (150.0, 0.0, 10.0, 90.0), (10.0, 20.0, 0.5, 0.5)],
    ids=["inside", "wide", "tall, at the edge", "part of a pixel"],
)
def test_a_crop_is_the_padded_square_resized(box):
    """Bit for bit: as if it were padded to the square first."""
    pixels = torch.from_numpy(frame()).permute(2, 0, 1).float() / 255
    x, y, width, height = box
    side = max(1, round(clip_module.CROP_CONTEXT * max(width, height)))
    left, top = round(x + (width - side) / 2), round(y + (height - side) / 2)
    square = F.pad(pixels, (side, side, side, side))[:, top + side : top + 2 * side, left + side : left + 2 * side]
    expected = F.interpolate(square[None], (64, 64), mode="bicubic", antialias=True)[0]
    assert torch.equal(crops_of(frame(), [box], 64)[0], expected)
