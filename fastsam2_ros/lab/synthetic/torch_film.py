"""Drawing a scene's frames with torch, many at once: what `film` does on a CPU core, on a GPU.

Up to rounding the pictures are the same, but for the noise, which is drawn anew here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from fastsam2_ros.lab.synthetic import motion
from fastsam2_ros.lab.synthetic.actors import Actor
from fastsam2_ros.lab.synthetic.camera import Optics, compress
from fastsam2_ros.lab.synthetic.compositing import shadow_matrix
from fastsam2_ros.lab.synthetic.film import Film, Kernel, ground_blur, ground_matrices, thing_blur
from fastsam2_ros.lab.synthetic.scene import Scene

CHUNK = 16
"""Frames that are drawn at once, which bounds the memory."""
_REFLECTION, _BORDER, _ZEROS = "reflection", "border", "zeros"
"""What lies beyond a picture, in torch's words."""


def shoot(
    rng: np.random.Generator,
    scene: Scene,
    optics: Optics,
    frames: int,
    size: tuple[int, int],
    stride: int,
    device: torch.device,
) -> Film:
    """Draw and expose the first `frames` frames; arguments as for `world.generate`."""
    generator = torch.Generator(device).manual_seed(int(rng.integers(1 << 62)))
    images: list[npt.NDArray[np.uint8]] = []
    ids: list[npt.NDArray[np.uint8]] = []
    for first in range(0, frames, CHUNK):
        times = range(first, min(first + CHUNK, frames))
        drawn, numbers = _draw(scene, optics, times, size, stride, device)
        delivered = _expose(drawn, optics, times, generator).permute(0, 2, 3, 1).cpu().numpy()
        images += [compress(image, optics.quality) if optics.quality else image for image in delivered]
        ids += [*numbers.cpu().numpy()]
    return Film(np.stack(images), np.stack(ids), _areas(scene, frames))


def _draw(
    scene: Scene, optics: Optics, times: range, size: tuple[int, int], stride: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Images, float32 (t, 3, H, W), [0, 255], and ids, uint8 (t, H, W)."""
    ground = _planes(scene.ground, device)
    images = _warp(ground, ground_matrices(scene, size)[times], size, _REFLECTION)
    images = _blurred(images, [ground_blur(scene, optics, t, size, stride) for t in times], "reflect")
    ids = torch.zeros((len(times), *size), dtype=torch.uint8, device=device)
    for actor in scene.actors:
        sprite = actor.sprite
        shadows = np.stack([shadow_matrix(sprite, actor.places[t], actor.shadow) for t in times])
        images = images * (1 - _warp(255 - _planes(sprite.shadow[..., None], device), shadows, size) / 255)
        laid = _warp(_planes(sprite.rgba, device), _matrices(actor)[times], size, bends=_curvatures(actor)[times])
        ids = torch.where(laid[:, 3] > 127, actor.id, ids)
        laid = _blurred(laid, [thing_blur(actor, optics, t, stride) for t in times], "constant")
        images = images * (1 - laid[:, 3:] / 255) + laid[:, :3]
    return images, ids


def _expose(images: Tensor, optics: Optics, times: range, generator: torch.Generator) -> Tensor:
    """The pictures that the camera delivers, before JPEG: uint8 (t, 3, H, W)."""
    device, size = images.device, (images.shape[2], images.shape[3])
    if optics.shade is not None:
        back = np.array([[[1 / 8, 0, x], [0, 1 / 8, y]] for x, y in optics.drift[times]])
        images = images * _warp(_planes(optics.shade[..., None], device), motion.inverse(back), size, _BORDER) / 170
    tables = torch.from_numpy(optics.tables[times]).to(device).float().mT  # (t, 3, 256)
    images = tables.gather(2, _bytes(images).flatten(2).long()).view_as(images)
    if optics.defocus:
        images = gaussian_blur(images, [2 * round(3 * optics.defocus) + 1] * 2, [optics.defocus] * 2)
    noise = torch.randn(images.shape, generator=generator, device=device)
    return _bytes(images + optics.sigma * noise)


def _areas(scene: Scene, frames: int) -> npt.NDArray[np.float64]:
    """See `Film.areas`: affine maps scale areas, and bending leaves them as they are."""
    areas = np.zeros((frames, 1 + scene.things))
    for actor in scene.actors:
        drawn = np.count_nonzero(actor.sprite.rgba[..., 3] > 127)
        areas[:, actor.id] = drawn * np.abs(np.linalg.det(_matrices(actor)[:frames, :, :2]))
    return areas


def _warp(
    picture: Tensor,
    matrices: npt.NDArray[np.float64],
    size: tuple[int, int],
    beyond: str = _ZEROS,
    bends: npt.NDArray[np.float64] | None = None,
) -> Tensor:
    """A picture, (C, h, w), as seen through each of the matrices, (t, 2, 3) to pixels of the frame: (t, C, H, W)."""
    back = torch.from_numpy(motion.inverse(matrices)).to(picture.device, torch.float32)
    y, x = torch.meshgrid(*(torch.arange(n, device=picture.device, dtype=torch.float32) for n in size), indexing="ij")
    u, v = (torch.stack([x, y, torch.ones_like(x)], -1) @ back.mT.flatten(1)[:, None].unflatten(2, (3, 2))).unbind(-1)
    height, width = picture.shape[1:]
    if bends is not None:
        u = u - torch.from_numpy(bends).to(u)[:, None, None] * (v - (height - 1) / 2) ** 2
    grid = torch.stack([2 * u / (width - 1) - 1, 2 * v / (height - 1) - 1], -1)
    return F.grid_sample(picture.expand(len(grid), -1, -1, -1), grid, padding_mode=beyond, align_corners=True)


def _matrices(actor: Actor) -> npt.NDArray[np.float64]:
    """(T, 2, 3) from pixels of the sprite to those of the frame."""
    return np.stack([actor.sprite.matrix(place) for place in actor.places])


def _curvatures(actor: Actor) -> npt.NDArray[np.float64]:
    """(T,), bends per pixel of the sprite."""
    return actor.bends / actor.sprite.pixels_per_unit


def _blurred(images: Tensor, kernels: list[Kernel | None], beyond: str) -> Tensor:
    """(t, C, H, W), each with its own kernel, or as it is."""
    images = images.clone()
    for image, kernel in zip(images, kernels, strict=True):
        if kernel is not None:
            weight = torch.from_numpy(kernel).to(image)[None, None]
            padded = F.pad(image[:, None], [kernel.shape[0] // 2] * 4, mode=beyond)
            image.copy_(F.conv2d(padded, weight)[:, 0])
    return images


def _planes(picture: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 (H, W, C) to float32 (C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(picture)).to(device).permute(2, 0, 1).float()


def _bytes(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)
