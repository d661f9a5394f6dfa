"""Start values of the mini SAM 2 that make it a matcher from the first step; training goes on from there.

Carrying a mask by nearest neighbours among a pretrained trunk's features works without any training. SAM 2's memory
attention can do the same if its parts are set so: the neck gives the principal components of the trunk's features, the
memory encoder keeps them (normalised) beside the mask, queries and keys of the cross-attention are the same components,
and its values bring the mask. From random values a short training does not find this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastsam2_ros.lab.training import imagenet
from fastsam2_ros.streaming import trunk
from fastsam2_ros.weights import read_tensors

WHITENING = 0.25
"""Exponent of the variances by which the components are divided."""
LOOK = 96
"""Components of the features at stride 16 in the tokens' first channels; the next 16 are of stride 32, then the mask's."""
SEMANTIC = 16
MATCHED = 44
"""Components that are remembered and matched: those on slow rotary pairs."""
REMEMBERED_MASK = 20
"""Channels of memory that hold the mask."""
SLOW, NEAR = 5, (2, 4)
"""Of the rotary pairs for x and for y: the first that turns so slowly that looks can be matched across the image; and
those whose equal biases make a kernel that falls with distance."""
SHARPNESS = 20.0
"""Factor on the cosine of two looks in the softmax."""
LOCALITY = 1.5
LOUD, QUIET = 0.6, 0.25
"""Root mean square of the tokens, and of the fine maps."""
FAINT = 0.1
"""What is left of random parts that would drown the rest."""


@torch.no_grad()
def start(model: Any, weights: Path, images: Tensor, masks: Tensor, donor: Path | None = None) -> None:
    """Set a model's weights, in place.

    Args:
        model: a mini SAM 2, its trunk an EfficientNet-Lite0.
        weights: of that (`imagenet`).
        images: float32 (n, 3, S, S), normalised, which the components are taken from.
        masks: float32 (m, 1, S, S), 0 or 1: some of what is to be remembered.
        donor: weights of an older mini, for the parts that have the same names and shapes there.
    """
    if donor is not None:
        _take(model, read_tensors(donor))
    _load_trunk(model, weights)
    _set_neck(model, images)
    _set_memory_encoder(model, masks)
    for layer in model.memory_attention.layers:
        _set_attention(layer, model)
    nn.init.constant_(model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias, 1.0)


def _take(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """What knows prompts, masks and pointers, but nothing of what the image's features mean."""
    parts = (
        "sam_prompt_encoder.",
        "sam_mask_decoder.",
        "memory_encoder.mask_downsampler.",
        "mask_downsample.",
        "obj_ptr",
    )
    own = model.state_dict()
    model.load_state_dict(
        {
            name: tensor
            for name, tensor in tensors.items()
            if name.startswith(parts) and name in own and own[name].shape == tensor.shape
        },
        strict=False,
    )


def _load_trunk(model: Any, weights: Path) -> None:
    every = imagenet.load(weights).state_dict()
    maps = trunk.create(imagenet.NAME)
    maps.load_state_dict({name: every[name] for name in maps.state_dict()})
    model.image_encoder.trunk.model.load_state_dict(trunk.fold(maps).state_dict())


def _set_neck(model: Any, images: Tensor) -> None:
    """Laterals that give components; of the coarsest map, a few beside those of the next."""
    maps = model.image_encoder.trunk(images)
    coarse, middle, *fine = (convolution.conv for convolution in model.image_encoder.neck.convs)
    width = middle.out_channels
    _set_lateral(middle, maps[2], 0, LOOK, LOUD * (width / LOOK) ** 0.5)
    _set_lateral(coarse, maps[3], LOOK, SEMANTIC, LOUD)
    for lateral, features in zip(fine, (maps[1], maps[0]), strict=True):
        _set_lateral(lateral, features, 0, features.shape[1], QUIET * (width / features.shape[1]) ** 0.5)


def _set_lateral(lateral: Any, features: Tensor, first: int, count: int, size: float) -> None:
    """Channels from `first` on give `count` components, of this root mean square together; the others nothing."""
    rows = features.permute(0, 2, 3, 1).flatten(0, 2).float()
    mean = rows.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov((rows - mean).T))
    variances, axes = variances.flip(0)[:count], axes.flip(1)[:, :count]
    basis = axes * variances.clamp(min=variances[0] * 1e-4) ** -WHITENING  # (channels, count)
    basis *= size / ((rows - mean) @ basis).square().mean().sqrt()
    lateral.weight.zero_()
    lateral.bias.zero_()
    lateral.weight[first : first + count, :, 0, 0] = basis.T
    lateral.bias[first : first + count] = -mean @ basis


def _set_memory_encoder(model: Any, masks: Tensor) -> None:
    """Half of its channels hold the look, the others the mask; both come out normalised."""
    encoder = model.memory_encoder
    width = encoder.pix_feat_proj.out_channels
    half = width // 2
    encoder.pix_feat_proj.weight.zero_()
    encoder.pix_feat_proj.bias.zero_()
    encoder.pix_feat_proj.weight[:half, :half, 0, 0] = FAINT * torch.eye(half)
    _set_mask_channels(model, masks, half)
    # The first block's norm is what makes looks comparable: it is passed on, and the faint input is nothing beside it.
    block = encoder.fuser.layers[0]
    middle = block.dwconv.kernel_size[0] // 2
    block.dwconv.weight.mul_(FAINT * FAINT)
    block.dwconv.weight[:, 0, middle, middle] += 1
    block.dwconv.bias.zero_()
    block.pwconv1.weight[: 2 * width] = torch.cat((torch.eye(width), -torch.eye(width)))
    block.pwconv1.bias[: 2 * width] = 0
    block.pwconv2.weight.mul_(FAINT)
    block.pwconv2.weight[:, : 2 * width] = torch.cat((torch.eye(width), -torch.eye(width)), dim=1)
    block.pwconv2.bias.zero_()
    block.gamma.fill_(1.0)
    encoder.fuser.layers[1].gamma.fill_(FAINT)
    encoder.out_proj.weight.zero_()
    encoder.out_proj.bias.zero_()
    looks, remembered = torch.arange(MATCHED), torch.arange(REMEMBERED_MASK)
    encoder.out_proj.weight[looks, looks, 0, 0] = 1
    encoder.out_proj.weight[MATCHED + remembered, half + remembered, 0, 0] = 1


def _set_mask_channels(model: Any, masks: Tensor, first: int) -> None:
    """The mask's features as components too, quieter than the look, so that they do not govern the norm."""
    last = model.memory_encoder.mask_downsampler.encoder[-1]
    scaled = masks * model.sigmoid_scale_for_mem_enc + model.sigmoid_bias_for_mem_enc
    rows = model.memory_encoder.mask_downsampler.encoder[:-1](scaled).permute(0, 2, 3, 1).flatten(0, 2)
    mean = rows.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov((rows - mean).T))
    count = last.out_channels - first
    basis = axes.flip(1)[:, :count] * variances.flip(0)[:count].clamp(min=variances[-1] * 1e-4) ** -WHITENING
    basis *= 0.5 * FAINT * LOUD / ((rows - mean) @ basis).square().mean().sqrt()
    last.weight.zero_()
    last.bias.zero_()
    last.weight[first:, :, 0, 0] = basis.T
    last.bias[first:] = -mean @ basis


def _set_attention(layer: Any, model: Any) -> None:
    cross = layer.cross_attn_image
    inner = cross.internal_dim
    quarter = inner // 4  # rotary pairs for x; as many for y
    pairs = [pair for axis in (0, quarter) for pair in range(axis + SLOW, axis + quarter)]
    slow = torch.tensor([2 * pair + part for pair in pairs for part in (0, 1)])[:MATCHED]
    near = torch.tensor(
        [2 * pair + part for axis in (0, quarter) for pair in range(axis + NEAR[0], axis + NEAR[1]) for part in (0, 1)]
    )
    looks = torch.arange(MATCHED)
    # Queries come out of a norm over all channels, keys out of one over the look and the (quiet) mask.
    norm_of_look = model.hidden_dim**0.5
    factor = (SHARPNESS * inner**0.5) ** 0.5 / norm_of_look * (model.hidden_dim / LOOK) ** 0.25
    for projection in (cross.q_proj, cross.k_proj):
        projection.weight.mul_(FAINT)
        projection.weight[slow] = 0
        projection.weight[slow, looks] = factor
        projection.bias.zero_()
        projection.bias[near] = LOCALITY
    # What all keys' positions have in common would turn with them.
    grid = torch.zeros(1, model.mem_dim, 2, 2)
    common = model.memory_encoder.position_encoding(grid).mean((0, 2, 3))
    cross.k_proj.bias -= cross.k_proj.weight @ common
    # Values are the mask, which the tokens have room for behind the look.
    cross.v_proj.weight.mul_(FAINT)
    cross.v_proj.bias.zero_()
    shown = torch.arange(model.hidden_dim - LOOK - SEMANTIC)
    cross.v_proj.weight[shown, MATCHED + shown] = 1
    cross.out_proj.weight.mul_(FAINT)
    cross.out_proj.bias.zero_()
    cross.out_proj.weight[LOOK + SEMANTIC + shown, shown] = 1
    layer.self_attn.out_proj.weight.mul_(FAINT)
    layer.linear2.weight.mul_(FAINT)
