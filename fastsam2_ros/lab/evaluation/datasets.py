"""Data sets on disk: DAVIS 2016 and 2017, YouTube-VOS, MOSE, LVOS, SA-V, and our own world's DAVIS folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastsam2_ros.errors import InputError
from fastsam2_ros.images import ImageDecoder, RgbImage
from fastsam2_ros.lab.evaluation import texts
from fastsam2_ros.lab.evaluation.labels import read_labels
from fastsam2_ros.lab.evaluation.photographs import PhotographDataset
from fastsam2_ros.lab.evaluation.sequences import Dataset, Footage, Truth, VideoSequence, first_frames

_RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
_SPLITS = ("val", "valid")
_IMAGES = (".jpg", ".jpeg", ".png")
_RATE, _SPARSE_RATE = 24, 30
"""Frames per second, by the numbers in the frames' names: those of YouTube-VOS and LVOS count by five."""


def open_dataset(root: Path, split: str = "", descriptions: Path | None = None) -> Dataset:
    """The data set in a folder.

    | layout | frames | masks |
    |---|---|---|
    | DAVIS | `JPEGImages/480p/NAME/*.jpg` | `Annotations/480p/NAME/*.png`; `ImageSets/**/SPLIT.txt` |
    | YouTube-VOS, MOSE, LVOS | `SPLIT/JPEGImages/NAME/*.jpg` | `SPLIT/Annotations/NAME/*.png`, of some frames or all |
    | photographs | `images/*.jpg` | `masks/*.png`; `objects.json` |
    | SA-V | `JPEGImages_24fps/NAME/*.jpg` | `Annotations_6fps/NAME/OBJECT/*.png`; `sav_SPLIT.txt` |

    Args:
        root: the data set, or its folder of a split.
        split: such as "val", "train" or "2016/val"; empty: val where it is named, else all.
        descriptions: file of the form of `descriptions.json` (`texts.of_sequence`) that is read in place of the data set's.

    Raises:
        InputError: no folder, none of these layouts, or no such split.
    """
    if not root.is_dir():
        raise InputError(f"There is no folder {root}; give the folder of a data set, or 'synthetic'.")
    if all((root / part).exists() for part in ("images", "masks", "objects.json")):
        return PhotographDataset.open_folder(root)
    for folder in (root, *(root / name for name in ((split, f"sav_{split}") if split else _SPLITS))):
        # A folder of its own is the split.
        part = split if folder == root else ""
        if (folder / "JPEGImages_24fps").is_dir() and (folder / "Annotations_6fps").is_dir():
            return SavDataset(folder, descriptions, _listed(folder, folder / "Annotations_6fps", part))
        if (folder / "JPEGImages").is_dir() and (folder / "Annotations").is_dir():
            frames, masks = _at_resolution(folder / "JPEGImages"), _at_resolution(folder / "Annotations")
            return LabelDataset(folder, descriptions, frames, masks, _listed(folder, masks, part))
    raise InputError(
        f"{root} holds neither JPEGImages and Annotations nor JPEGImages_24fps and Annotations_6fps"
        f"{f', and neither does {split} in it' if split else ''}; give the folder of a data set, or of a split of it."
    )


@dataclass(frozen=True)
class LabelFootage:
    """Frames, and one image of ids for each that is annotated.

    Attributes:
        frames: files of all frames.
        masks: file by index of the frame.
    """

    frames: Sequence[Path]
    masks: Mapping[int, Path]

    def frame(self, index: int) -> RgbImage:
        """uint8 (H, W, 3), RGB."""
        return _read_frame(self.frames[index])

    def truth(self, index: int) -> Truth:
        """The true masks of a frame that is annotated."""
        image = read_labels(self.masks[index])
        numbers = np.unique(image.labels)
        return Truth({int(number): image.labels == number for number in numbers if number}, image.void)


@dataclass(frozen=True)
class SavFootage:
    """Frames, and for each that is annotated one image per object: above 0 where it is. Masks may overlap.

    Attributes:
        frames: files of all frames.
        masks: files by index of the frame and by object.
    """

    frames: Sequence[Path]
    masks: Mapping[int, Mapping[int, Path]]

    def frame(self, index: int) -> RgbImage:
        """uint8 (H, W, 3), RGB."""
        return _read_frame(self.frames[index])

    def truth(self, index: int) -> Truth:
        """The true masks of a frame that is annotated."""
        masks = {number: read_labels(file).labels > 0 for number, file in self.masks[index].items()}
        return Truth({number: mask for number, mask in masks.items() if mask.any()})


@dataclass(frozen=True)
class _Folder:
    """What every stored data set has: a folder, and maybe a file of its objects' descriptions that lies elsewhere."""

    root: Path
    descriptions: Path | None

    @property
    def title(self) -> str:
        """The folder's name."""
        return self.root.resolve().name

    @property
    def identity(self) -> str:
        """The folder's path, and the file's."""
        said = "" if self.descriptions is None else f" {self.descriptions.resolve()}"
        return f"{self.root.resolve()}{said}"


@dataclass(frozen=True)
class LabelDataset(_Folder):
    """DAVIS, YouTube-VOS, MOSE and LVOS: images of ids, of all frames or of some.

    Attributes:
        root: folder with the descriptions.
        descriptions: file of others.
        frames: folder with a folder of frames by sequence.
        masks: folder with a folder of label images by sequence.
        names: of the sequences.
    """

    frames: Path
    masks: Path
    names: Sequence[str]

    def open(self, name: str, max_frames: int | None = None) -> VideoSequence:
        """See `Dataset.open`."""
        frames = _frame_files(self.frames / name)[:max_frames]
        files = {file.stem: file for file in (self.masks / name).glob("*.png")}
        masks = {index: files[frame.stem] for index, frame in enumerate(frames) if frame.stem in files}
        said = texts.of_sequence(self.root, name, self.descriptions)
        return _sequence(name, LabelFootage(frames, masks), frames, tuple(masks), said)


@dataclass(frozen=True)
class SavDataset(_Folder):
    """SA-V's val and test: 24 frames per second, of which every fourth is annotated. Object 000 has the id 1.

    Attributes:
        root: folder with both folders.
        descriptions: file of descriptions, where it is not the data set's.
        names: of the sequences.
    """

    names: Sequence[str]

    def open(self, name: str, max_frames: int | None = None) -> VideoSequence:
        """See `Dataset.open`."""
        frames = _frame_files(self.root / "JPEGImages_24fps" / name)[:max_frames]
        masks: dict[int, dict[int, Path]] = {}
        indices = {frame.stem: index for index, frame in enumerate(frames)}
        for file in sorted((self.root / "Annotations_6fps" / name).glob("[0-9]*/*.png")):
            if file.stem in indices:
                masks.setdefault(indices[file.stem], {})[int(file.parent.name) + 1] = file
        said = texts.of_sequence(self.root, name, self.descriptions)
        return _sequence(name, SavFootage(frames, masks), frames, tuple(sorted(masks)), said)


def _sequence(
    name: str, footage: Footage, frames: Sequence[Path], annotated: Sequence[int], said: texts.Said
) -> VideoSequence:
    if not annotated:
        raise InputError(f"The sequence {name} has no mask of any of its {len(frames)} frames.")
    return VideoSequence(
        name=name,
        footage=footage,
        frame_names=[frame.stem for frame in frames],
        stamps_ns=_stamps([frame.stem for frame in frames]),
        annotated=annotated,
        first=first_frames(footage, annotated),
        descriptions=said.descriptions,
        absent=said.absent,
        group=said.group,
    )


def _stamps(names: Sequence[str]) -> list[int]:
    """Nanoseconds, from the numbers in the frames' names."""
    numbers = [int(name) for name in names] if all(name.isdigit() for name in names) else list(range(len(names)))
    sparse = len(numbers) > 1 and min(np.diff(numbers)) > 1
    return [round((number - numbers[0]) * 1e9 / (_SPARSE_RATE if sparse else _RATE)) for number in numbers]


def _frame_files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in _IMAGES)
    if not files:
        raise InputError(f"There are no frames ({', '.join(_IMAGES)}) in {folder}.")
    return files


def _read_frame(file: Path) -> RgbImage:
    try:
        return ImageDecoder().decode_compressed(file.suffix, file.read_bytes())
    except (OSError, InputError) as error:
        raise InputError(f"{file}: {error}") from error


def _at_resolution(folder: Path) -> Path:
    """DAVIS has a folder for each resolution; 480p is what its figures are of."""
    return next((folder / name for name in _RESOLUTIONS if (folder / name).is_dir()), folder)


def _listed(root: Path, masks: Path, split: str) -> list[str]:
    """Names of the sequences: those of the split's list where there is one, else all that have masks."""
    wanted = [f"{split}.txt", f"sav_{split}.txt"] if split else [f"{name}.txt" for name in _SPLITS]
    lists = [file for name in wanted for file in (*(root / "ImageSets").glob(f"**/{name}"), root / name)]
    # DAVIS 2017 comes with the lists of 2016 beside its own.
    lists = sorted((file for file in lists if file.is_file()), key=lambda file: file.parent.name != "2017")
    if lists:
        names = dict.fromkeys(_sequence_of(line) for line in lists[0].read_text("utf-8").splitlines() if line.strip())
    elif split:
        raise InputError(f"{root} has no split {split}: neither a list {wanted[0]} nor a folder of that name.")
    else:
        names = dict.fromkeys(sorted(folder.name for folder in masks.iterdir() if folder.is_dir()))
    if not names:
        raise InputError(f"There are no sequences in {lists[0] if lists else masks}.")
    return list(names)


def _sequence_of(line: str) -> str:
    """The sequence in a line of a list: its name, or, in DAVIS 2016, a frame's path and its mask's."""
    first = Path(line.split(maxsplit=1)[0])
    return first.parent.name if first.suffix else first.name
