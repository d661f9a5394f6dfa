import pytest
import torch

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.language import dense, weights


def images(height, width):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_trunk_and_the_normal_last_block_give_open_clips_image_encoding(model):
    tower = model.visual
    whole = images(64, 64)
    pooled, _ = tower._pool(tower.transformer.resblocks[-1](dense.trunk(tower, whole)))
    torch.testing.assert_close(pooled @ tower.proj, model.encode_image(whole))


@torch.inference_mode()
@pytest.mark.parametrize("size", [(64, 64), (32, 128), (16, 16), (16, 160)])
def test_there_is_one_unit_vector_per_patch(model, size):
    features = dense.encode(model.visual, images(*size))
    assert features.shape == (2, 32, size[0] // 16, size[1] // 16)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2, size[0] // 16, size[1] // 16))


@torch.inference_mode()
def test_a_narrower_neighbourhood_changes_the_features(model):
    whole = images(128, 128)
    wide, narrow = (dense.encode(model.visual, whole, neighbourhood) for neighbourhood in (1e6, 1.0))
    assert (wide - narrow).abs().max() > 1e-4


@torch.inference_mode()
def test_the_last_block_is_key_key_attention_with_a_gaussian_window(model):
    """Against the formula written out for one head at a time."""
    tower, whole = model.visual, images(32, 48)
    block = tower.transformer.resblocks[-1]
    x = block.ln_1(dense.trunk(tower, whole)[:, 1:])
    width, d = 64, 32
    key = x @ block.attn.in_proj_weight[width : 2 * width].T + block.attn.in_proj_bias[width : 2 * width]
    value = x @ block.attn.in_proj_weight[2 * width :].T + block.attn.in_proj_bias[2 * width :]
    places = [(row, column) for row in range(2) for column in range(3)]
    window = torch.tensor(
        [[torch.e ** (-((r - s) ** 2 + (c - t) ** 2) / (2 * 5.0**2)) for s, t in places] for r, c in places]
    )
    heads = []
    for head in range(2):
        k, v = key[..., head * d : (head + 1) * d], value[..., head * d : (head + 1) * d]
        heads.append(torch.softmax(k @ k.transpose(1, 2) / d**0.5 + window, dim=-1) @ v)
    expected = tower.ln_post(block.attn.out_proj(torch.cat(heads, -1))) @ tower.proj
    expected = (expected / expected.norm(dim=-1, keepdim=True)).transpose(1, 2).reshape(2, 32, 2, 3)
    torch.testing.assert_close(dense.encode(tower, whole), expected)


@torch.inference_mode()
def test_a_wider_image_is_the_mean_of_its_tiles(model):
    whole = images(64, 96)  # The tower's own size is 64 x 64, 4 x 4 patches.
    left, right = (dense.encode(model.visual, whole[..., x : x + 64]) for x in (0, 32))
    expected = torch.cat((left[..., :2], (left[..., 2:] + right[..., :2]) / 2, right[..., 2:]), dim=3)
    expected = expected / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(dense.encode(model.visual, whole), expected)


@torch.inference_mode()
def test_what_is_far_from_a_place_does_not_change_it(model):
    whole = images(64, 192)
    other = whole.clone()
    other[..., 128:] = 0
    before, after = (dense.encode(model.visual, each)[..., :4] for each in (whole, other))
    torch.testing.assert_close(before, after)


@torch.inference_mode()
def test_many_tiles_are_the_same_as_few_at_once(model, monkeypatch):
    whole = images(96, 160)
    expected = dense.encode(model.visual, whole)
    monkeypatch.setattr(dense, "TILES_AT_ONCE", 3)
    torch.testing.assert_close(dense.encode(model.visual, whole), expected)


def test_positions_of_the_models_own_grid_are_the_learned_ones(model):
    assert dense.positions(model.visual, (4, 4)) is model.visual.positional_embedding


@torch.inference_mode()
def test_positions_of_another_grid_keep_the_class_token_and_are_row_by_row(model):
    positions = dense.positions(model.visual, (4, 8))
    learned = model.visual.positional_embedding
    assert torch.equal(positions[0], learned[0])
    # Only columns are interpolated, so that the mean of a row stays about the same and differs from other rows.
    rows, before = positions[1:].reshape(4, 8, -1).mean(1), learned[1:].reshape(4, 4, -1).mean(1)
    assert torch.equal(torch.cdist(rows, before).argmin(1), torch.arange(4))


@pytest.fixture(scope="module")
def convolutional():
    """The image tower of 'mini', with random weights."""
    return weights.build(weights.find(LanguageConfig(name="mini", weights="untrained")), 0)[0].visual


def test_a_convolutional_tower_tells_its_patches_and_width(convolutional):
    assert dense.patch_size(convolutional) == (16, 16)
    assert dense.width(convolutional) == 256


@torch.inference_mode()
@pytest.mark.parametrize("size", [(128, 128), (96, 160)])
def test_a_convolutional_towers_places_average_to_its_image_encoding(convolutional, size):
    whole = images(*size)
    places = convolutional.head(convolutional.trunk.forward_features(whole).permute(0, 2, 3, 1))
    torch.testing.assert_close(places.mean((1, 2)), convolutional(whole))
    features = dense.encode(convolutional, whole)
    assert features.shape == (2, 256, size[0] // 16, size[1] // 16)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2, size[0] // 16, size[1] // 16))
    # Each is its place's projection, in direction.
    torch.testing.assert_close((features.permute(0, 2, 3, 1) * places).sum(-1), places.norm(dim=-1))


def test_means_within_masks_by_hand():
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    masks = torch.tensor([[[[1.0, 0.5], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]])  # two; the other one is empty
    assert dense.mean_within(maps, masks).tolist() == [[[pytest.approx(4 / 3)], [2.5]]]
    finer = masks.repeat_interleave(3, 2).repeat_interleave(3, 3)
    torch.testing.assert_close(dense.mean_within(maps, finer), dense.mean_within(maps, masks))
