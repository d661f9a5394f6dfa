import numpy as np
import pytest

from fastsam2_ros.language import candidates


def blobs(*places, shape=(16, 16)):
    """A map with a rectangle (row, column, height, width, value) for each place."""
    relevance = np.zeros(shape, np.float32)
    for row, column, height, width, value in places:
        relevance[row : row + height, column : column + width] = value
    return relevance


def test_peaks_come_highest_first_and_one_for_each_blob():
    relevance = blobs((2, 2, 1, 1, 0.5), (10, 10, 1, 1, 0.9), (2, 12, 1, 1, 0.7))
    assert candidates.peaks(relevance, 8) == [(10, 10), (2, 12), (2, 2)]


def test_the_limit_keeps_the_highest_peaks():
    relevance = blobs((2, 2, 1, 1, 0.5), (10, 10, 1, 1, 0.9), (2, 12, 1, 1, 0.7))
    assert candidates.peaks(relevance, 2) == [(10, 10), (2, 12)]


def test_close_peaks_are_one():
    relevance = blobs((20, 20, 1, 1, 0.9), (20, 23, 1, 1, 0.8), (20, 40, 1, 1, 0.7), shape=(64, 64))
    assert candidates.peaks(relevance, 8) == [(20, 20), (20, 40)]


def test_noise_far_below_the_highest_peak_is_none():
    assert candidates.peaks(blobs((2, 2, 1, 1, 0.9), (10, 10, 1, 1, 0.05)), 8) == [(2, 2)]


def test_a_point_lies_in_the_middle_of_its_cell_in_pixels_of_the_frame():
    points, labels, _ = candidates.prompts(blobs((3, 5, 1, 1, 1.0)), (320, 640), 8)
    assert points[0, 0].tolist() == [5.5 * 40, 3.5 * 20]
    assert labels[0].tolist() == [1, -1, -1]


def test_a_region_gives_a_box_around_it_and_its_most_inner_point():
    points, labels, _ = candidates.prompts(blobs((3, 5, 5, 7, 1.0)), (160, 160), 1)
    assert labels[1].tolist() == [2, 3, 1]
    assert points[1, :2].tolist() == [[50, 30], [120, 80]]
    x, y = points[1, 2]
    assert y == 55
    assert 70 < x < 100


def test_a_box_comes_with_its_region_as_a_soft_mask():
    relevance = blobs((3, 5, 5, 7, 0.8), (12, 12, 2, 2, 0.6))
    _, labels, regions = candidates.prompts(relevance, (160, 160), 8)
    assert regions.shape == (2, *relevance.shape)
    assert (labels[:, 0] == candidates.BOX_FIRST).sum() == 2
    np.testing.assert_array_equal(regions[0] > candidates.REGION_LEVEL, blobs((3, 5, 5, 7, 1.0)) > 0)
    assert regions[0].max() == 1  # of its own peak
    np.testing.assert_array_equal(regions[1] > candidates.REGION_LEVEL, blobs((12, 12, 2, 2, 1.0)) > 0)


def test_a_weak_neighbour_is_no_part_of_the_region():
    mask = candidates.region(blobs((3, 5, 2, 2, 1.0), (3, 7, 2, 4, 0.4)), (3, 5))
    assert mask.sum() == 4


def test_peaks_in_one_region_share_its_box():
    relevance = blobs((4, 1, 1, 14, 0.8))
    relevance[4, 2] = relevance[4, 12] = 1.0
    _, labels, _ = candidates.prompts(relevance, (160, 160), 2)
    assert labels.tolist() == [[1, -1, -1], [2, 3, 1], [1, -1, -1]]


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_map_without_anything_gives_no_prompts(value):
    points, labels, _ = candidates.prompts(np.full((4, 5), value, np.float32), (40, 50), 8)
    assert points.shape == (0, 3, 2)
    assert labels.shape == (0, 3)


def test_a_flat_map_gives_points_only_and_no_more_than_the_limit():
    points, labels, regions = candidates.prompts(np.ones((16, 16), np.float32), (64, 64), 5)
    assert regions.shape == (0, 16, 16)
    assert points.shape == (5, 3, 2)
    assert (labels == [1, -1, -1]).all()


def test_a_single_token_is_a_map_too():
    points, _, _ = candidates.prompts(np.ones((1, 1), np.float32), (10, 20), 8)
    assert points[0, 0].tolist() == [10, 5]
