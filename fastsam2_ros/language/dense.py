"""CLIP features for every patch of an image, from open_clip's image towers.

A convolutional tower that ends in average pooling and a linear projection says of the whole image the mean of what it
says of every place: its dense features are that projection before pooling.

A VisionTransformer needs more. CLIP is trained on one vector per image; its last block mixes patches by what the class
token needs. NACLIP ("Pay Attention to Your Neighbours", arXiv 2404.08181) replaces that block's attention by one in which
a patch attends to patches with keys like its own and to its neighbours, and drops the block's residual and MLP, so that
what a vector says is about its own place. Here the class token, which has no place, is left out of that attention.

A VisionTransformer has learned its positions on one size of image. A larger one is looked at in tiles of that size, which
overlap by half or more (as in the paper), and where they do the mean counts. At 336 pixels as a whole, a mug in a frame of
1280 was one patch.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from open_clip.timm_model import TimmModel
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor

NEIGHBOURHOOD = 5.0
"""Standard deviation of the Gaussian window, patches (the paper's value)."""
TILES_AT_ONCE = 16
"""In one batch, so that a larger image needs no more memory."""


def patch_size(tower: VisionTransformer | TimmModel) -> tuple[int, int]:
    """Height and width of what one dense feature stands for, pixels."""
    if isinstance(tower, TimmModel):
        reduction = int(tower.trunk.feature_info[-1]["reduction"])
        return reduction, reduction
    height, width = tower.patch_size
    return int(height), int(width)


def mean_within(maps: Tensor, masks: Tensor) -> Tensor:
    """Means of maps (B, C, h, w) within masks (B, n, H, W), [0, 1], of any size; of an empty one all cells count: (B, n, C)."""
    shares = F.adaptive_avg_pool2d(masks, (maps.shape[2], maps.shape[3])).flatten(2)
    weights = torch.where(shares.sum(2, keepdim=True) > 0, shares, 1.0).to(maps)
    return weights @ maps.flatten(2).mT / weights.sum(2, keepdim=True)


def width(tower: VisionTransformer | TimmModel) -> int:
    """Length of the vectors."""
    return int(tower.head.proj.out_features if isinstance(tower, TimmModel) else tower.output_dim)


def encode(tower: VisionTransformer | TimmModel, images: Tensor, neighbourhood: float = NEIGHBOURHOOD) -> Tensor:
    """Features of every patch.

    Args:
        tower: one that `weights.build` lets through.
        images: float32 (B, 3, H, W), normalised; H and W multiples of the patch size.
        neighbourhood: of a VisionTransformer: standard deviation of the window, patches; infinity switches it off.

    Returns:
        float32 (B, D, H / patch, W / patch), unit norm along D.
    """
    if isinstance(tower, TimmModel):
        maps = tower.trunk.forward_features(images)
        return F.normalize(tower.head(maps.permute(0, 2, 3, 1)), dim=-1).permute(0, 3, 1, 2)
    patch, own = patch_size(tower), tower.grid_size
    grid = [length // side for length, side in zip(images.shape[2:], patch, strict=True)]
    tile = [min(pair) for pair in zip(grid, own, strict=True)]
    height, width = (count * side for count, side in zip(tile, patch, strict=True))
    corners = [(row, column) for row in _starts(grid[0], tile[0]) for column in _starts(grid[1], tile[1])]
    tiles = torch.cat(
        [images[..., y * patch[0] :, x * patch[1] :][..., :height, :width] for y, x in corners]
    )  # (corners * B, 3, height, width)
    encoded = torch.cat([_encode_tiles(tower, each, neighbourhood) for each in tiles.split(TILES_AT_ONCE)])
    sums = encoded.new_zeros(len(images), encoded.shape[1], *grid)
    for (y, x), features in zip(corners, encoded.split(len(images)), strict=True):
        sums[..., y : y + tile[0], x : x + tile[1]] += features
    return F.normalize(sums, dim=1)


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles begin that cover a length and overlap by half or more, with even distances."""
    count = 1 + math.ceil((length - tile) / max(1, tile // 2))
    return [round(index * (length - tile) / max(1, count - 1)) for index in range(count)]


def _encode_tiles(tower: VisionTransformer, images: Tensor, neighbourhood: float) -> Tensor:
    """(B, D, rows, columns), unit norm along D."""
    rows, columns = images.shape[-2] // tower.conv1.stride[0], images.shape[-1] // tower.conv1.stride[1]
    patches = trunk(tower, images)[:, 1:]  # (B, patches, width)
    patches = _attend_neighbours(tower.transformer.resblocks[-1], patches, (rows, columns), neighbourhood)
    features = tower.ln_post(patches)
    if tower.proj is not None:
        features = features @ tower.proj
    return F.normalize(features, dim=-1).transpose(1, 2).unflatten(2, (rows, columns))


def trunk(tower: VisionTransformer, images: Tensor) -> Tensor:
    """(B, 1 + patches, width): class token and patches before the last block, for any grid of patches."""
    maps = tower.conv1(images)  # (B, width, rows, columns)
    patches = maps.flatten(2).transpose(1, 2)
    cls = tower.class_embedding.expand(len(images), 1, -1)
    x = torch.cat((cls, patches), dim=1) + positions(tower, (maps.shape[2], maps.shape[3]))
    x = tower.ln_pre(x)
    for block in tower.transformer.resblocks[:-1]:
        x = block(x)
    return x


def positions(tower: VisionTransformer, grid: tuple[int, int]) -> Tensor:
    """(1 + rows * columns, width): the learned positions, interpolated to another grid."""
    learned = tower.positional_embedding
    if tuple(tower.grid_size) == grid:
        return learned
    maps = learned[1:].T.unflatten(1, tuple(tower.grid_size))[None]
    maps = F.interpolate(maps, grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat((learned[:1], maps[0].flatten(1).T))


def _attend_neighbours(block: ResidualAttentionBlock, x: Tensor, grid: tuple[int, int], neighbourhood: float) -> Tensor:
    """softmax(K K^T / sqrt(d) + window) V over the patches alone, and the output projection."""
    attention = block.attn
    _, key_weight, value_weight = attention.in_proj_weight.chunk(3)
    _, key_bias, value_bias = attention.in_proj_bias.chunk(3)
    x = block.ln_1(x)
    key, value = (
        F.linear(x, weight, bias).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for weight, bias in ((key_weight, key_bias), (value_weight, value_bias))
    )  # (B, heads, patches, d)
    window = neighbourhood_window(grid, neighbourhood, x.device)
    mixed = F.scaled_dot_product_attention(key, key, value, attn_mask=window)
    return block.ls_1(attention.out_proj(mixed.transpose(1, 2).flatten(2)))


def neighbourhood_window(grid: tuple[int, int], neighbourhood: float, device: torch.device) -> Tensor:
    """(patches, patches): exp(-distance^2 / 2 sigma^2), added to the attention logits."""
    row, column = torch.meshgrid(*(torch.arange(n, device=device) for n in grid), indexing="ij")
    place = torch.stack((row.flatten(), column.flatten()), dim=1).float()
    return torch.exp(-torch.cdist(place, place).square() / (2 * neighbourhood**2))
