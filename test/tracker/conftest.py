from functools import partial

import pytest
from small_models import small_sam2

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker

from .planted import SIZE, PlantedSearch, built
from .sought import SETTINGS, Search


@pytest.fixture(scope="module")
def sam(device):
    return StreamingSam2(small_sam2().to(device))


@pytest.fixture(scope="module")
def video():
    return noise_video(8, SIZE)


@pytest.fixture
def search():
    """Finds what a test plants."""
    return PlantedSearch()


@pytest.fixture
def make(sam, search):
    return partial(built, sam, search)


@pytest.fixture
def any_text():
    """Finds every text."""
    return Search()


@pytest.fixture
def tracker(sam, any_text):
    return TextTracker(LoadedSam2(sam, untrained=True), any_text, TrackerConfig(**SETTINGS))
