"""On a GPU every tensor of `language/` is there."""

from __future__ import annotations

import pytest
import torch
from pretended_cuda import devices
from small_models import small_sam2

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.language.clip import Clip
from fastsam2_ros.language.describe import describe
from fastsam2_ros.language.finder import Wanted
from fastsam2_ros.language.grounding import ground
from fastsam2_ros.language.relevance import RelevanceMap, to_grid
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.streaming.model import StreamingSam2

TEXTS = ("red mug", "blue box")
BOXES = [(10.0, 10.0, 60.0, 50.0), (-5.0, 40.0, 40.0, 90.0)]


@pytest.fixture(scope="module", params=["vision transformer", "convolutions"])
def setting(request, files) -> LanguageConfig:
    if request.param == "convolutions":
        return LanguageConfig(name="mini", image_size=128, min_margin=-2.0).suited()
    return LanguageConfig(name=str(files / "small.json"), weights=str(files / "small.safetensors"), min_margin=-2.0)


@pytest.fixture(scope="module")
def clip(setting, cuda) -> Clip:
    return Clip.load(setting.suited(), cuda)


@pytest.fixture(scope="module")
def sam(cuda) -> StreamingSam2:
    return StreamingSam2(small_sam2().to(cuda), torch.float16)


def test_vectors_of_texts_places_and_crops(clip, noise_frame):
    vectors = [clip.embed_texts(TEXTS), clip.dense_features(noise_frame), clip.embed_crops(noise_frame, BOXES)]
    assert devices([clip, vectors, clip.embed_texts([]), clip.embed_crops(noise_frame, [])]) == {"cuda"}


def test_where_no_size_is_set_a_gpu_looks_at_672_pixels(files, cuda, noise_frame):
    unset = LanguageConfig(name=str(files / "small.json"), weights=str(files / "small.safetensors"))
    assert max(Clip.load(unset, cuda).dense_features(noise_frame).shape[1:]) == 672 / 16


def test_relevance_of_tokens(clip, sam, noise_frame):
    features = sam.encode(noise_frame)
    learnt = RelevanceMap(clip.logit_scale)
    learnt.aim(clip.embed_texts(TEXTS), clip.embed_texts(("wall",)))
    for _ in range(2):
        learnt.fit(features.tokens, to_grid(clip.dense_features(noise_frame), features.grid))
    assert devices([learnt, learnt.relevance(features.tokens)]) == {"cuda"}


def test_what_is_found(clip, sam, setting, noise_frame):
    found = ground(noise_frame, sam.encode(noise_frame), TEXTS, clip, sam, setting.suited())
    assert any(each is not None for each in found)
    assert devices(found) == {"cuda"}


def test_a_description(clip, noise_frame):
    assert describe(noise_frame, BOXES[0], clip)


def test_a_search_and_what_is_learned_of_the_frame(setting, sam, noise_frame, cuda):
    search = TextSearch(setting, cuda)
    features, dense, relevance = sam.encode(noise_frame), search.dense(noise_frame), search.new_relevance()
    wanted = [Wanted(TEXTS[0]), Wanted(TEXTS[1], search.embed_example(noise_frame))]
    relevance.aim(wanted)
    relevance.learn(features, dense)
    found = search.search(noise_frame, features, wanted, sam, search.config, dense)
    assert devices([search, dense, found, relevance, relevance.of(features.tokens)]) == {"cuda"}
