"""Drawing a scene's frames with OpenCV, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.lab.synthetic import motion
from fastsam2_ros.lab.synthetic.actors import Actor
from fastsam2_ros.lab.synthetic.camera import Optics, blur_kernel, expose
from fastsam2_ros.lab.synthetic.compositing import paste, paste_shadow
from fastsam2_ros.lab.synthetic.scene import MARGIN, Scene

Kernel = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Film:
    """A scene on film; n things.

    Attributes:
        images: uint8 (T, H, W, 3), RGB.
        ids: uint8 (T, H, W): 0, or the id of the thing whose visible pixel it is.
        areas: float64 (T, 1 + n), by id: pixels of the whole silhouette, hidden parts and those beyond the frame too.
    """

    images: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint8]
    areas: npt.NDArray[np.float64]


def shoot(
    rng: np.random.Generator, scene: Scene, optics: Optics, frames: int, size: tuple[int, int], stride: int
) -> Film:
    """Draw and expose the first `frames` frames; arguments as for `world.generate`."""
    images = np.empty((frames, *size, 3), np.uint8)
    ids = np.zeros((frames, *size), np.uint8)
    areas = np.zeros((frames, 1 + scene.things))
    for t in range(frames):
        image = _ground(scene, optics, t, size, stride)
        for actor in scene.actors:
            paste_shadow(image, actor.sprite, actor.places[t], actor.shadow)
            laid = paste(image, actor.sprite, actor.places[t], thing_blur(actor, optics, t, stride), actor.bends[t])
            if laid is not None:
                areas[t, actor.id], region, silhouette = laid
                ids[t][region][silhouette] = actor.id
        images[t] = expose(rng, image, optics, t)
    return Film(images, ids, areas)


def ground_matrices(scene: Scene, size: tuple[int, int]) -> motion.Matrices:
    """(T, 2, 3), from pixels of the scene's ground to those of each frame."""
    height, width = size
    corner = np.array([[1, 0, -MARGIN * width], [0, 1, -MARGIN * height]])
    return motion.compose(scene.camera, corner)


def ground_blur(scene: Scene, optics: Optics, t: int, size: tuple[int, int], stride: int) -> Kernel | None:
    """What the camera's motion does to the ground in a frame."""
    if not t or not optics.shutter:
        return None
    middle = np.array([size[1] / 2, size[0] / 2, 1])
    return blur_kernel((scene.camera[t] - scene.camera[t - 1]) @ middle / stride, optics.shutter)


def thing_blur(actor: Actor, optics: Optics, t: int, stride: int) -> Kernel | None:
    """What a thing's motion does to it in a frame."""
    if not t or not optics.shutter:
        return None
    return blur_kernel((actor.places[t] - actor.places[t - 1])[:, 2] / stride, optics.shutter)


def _ground(scene: Scene, optics: Optics, t: int, size: tuple[int, int], stride: int) -> npt.NDArray[np.uint8]:
    """The background as the camera sees it."""
    matrix = ground_matrices(scene, size)[t]
    image = cv2.warpAffine(scene.ground, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    kernel = ground_blur(scene, optics, t, size, stride)
    return np.asarray(image if kernel is None else cv2.filter2D(image, -1, kernel), np.uint8)
