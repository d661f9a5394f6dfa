"""Training of the mini CLIP: a projection of the frozen trunk's features, and a text tower, made to agree.

The trunk is a classifier's, and stays as it is. Its class vectors say what the features of a thing of each class are like: that
teaches the text tower 1,000 nouns without any picture. What the classifier says of real things, and what is known of them,
teaches both sides to agree on those; the generated world has what neither knows, colours and patterns told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fastsam2_ros.config import UNTRAINED, LanguageConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.synthetic.looks import PATTERNS, SHAPES
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, generate
from fastsam2_ros.lab.training import imagenet
from fastsam2_ros.lab.training.clip_losses import classify, contrast
from fastsam2_ros.lab.training.clips import stream
from fastsam2_ros.lab.training.gallery import GROUND, REAL, UNNAMED, WORLD, Gallery, collect, normalised
from fastsam2_ros.lab.training.loop import Phase
from fastsam2_ros.lab.training.nouns import SYNONYMS
from fastsam2_ros.lab.training.phrases import WORDS
from fastsam2_ros.lab.training.statements import Speaker, Statement
from fastsam2_ros.language import weights
from fastsam2_ros.language.clip import encode_texts
from fastsam2_ros.language.vocabulary import COLOURS, NEGATIVES, TEMPLATES
from fastsam2_ros.shipped import MINI_CLIP
from fastsam2_ros.streaming import trunk
from fastsam2_ros.streaming.backends.choice import weights_digest

MODEL = MINI_CLIP.with_suffix(".json")
GALLERY = "gallery.pt"
VALIDATION_SEED = 2 * HELD_OUT_SEED
LARGEST_SCALE = 60.0
DROPPED = 0.1
"""Share of a thing's features that are left out in a step."""
GAP = 10.0
"""Lead of a class over the mean of all, by the classifier, from which on a thing is surely of that class."""
OTHERWISE = 0.5
"""How much of what a real thing has beside the mean is given to a thing that is made up of a class's features."""
NAMED_AT_ONCE = 2
DRAWN, SAMPLE = 29, 24
"""Seed of the trunk's random features, the same for every training, and scenes whose maps they are drawn for, from the middle
of the seeds that are trained on.
"""
# Negatives that speak of things in the world would be wrong now and then.
_NEGATIVES = tuple(text for text in NEGATIVES if not set(text.split()) & WORDS)
_MIX = {WORLD: 0.3, REAL: 0.4, UNNAMED: 0.12, GROUND: 0.18}


@dataclass(frozen=True)
class NamingShape:
    """Of a batch: things, those that are spoken of, classes of the classifier, and further statements.

    Attributes:
        scenes: of the generated world, in the gallery.
        validation: held-out scenes.
    """

    things: int = 256
    spoken_of: int = 48
    classes: int = 96
    nouns: int = 40
    words: int = 20
    absent: int = 12
    scenes: int = 1200
    validation: int = 60


@dataclass(frozen=True)
class NamingBatch:
    """Rows of the gallery, statements, and numbers of classes, whose statements come last."""

    rows: Tensor
    statements: list[Statement]
    classes: Tensor


class ClipTask:
    """See `loop.Task`.

    Args:
        device: where it will train.
        out: folder where the features of all pictures are kept.
        seed: of weights, scenes and phrases.
        real: folder with `train` and `val` of real pictures; None: the generated world and the classes' names alone.
        shape: of the batches.

    Raises:
        InputError: the features that are kept in `out` are of another trunk.
    """

    name = "mini_clip"

    def __init__(
        self,
        device: torch.device,
        out: Path,
        seed: int = 0,
        real: Path | None = None,
        shape: NamingShape | None = None,
    ) -> None:
        self._seed, self._shape = seed, shape or NamingShape()
        config = LanguageConfig(name=str(MODEL), weights=UNTRAINED, seed=seed)
        built: Any = weights.build(weights.find(config), seed)
        self.model, self.tokenizer = built
        self.model.requires_grad_(True)
        classifier = imagenet.load(imagenet.package_file())
        tower = self.model.visual
        tower.trunk.load_classifier(classifier)
        tower.trunk.draw(_sample(), torch.Generator().manual_seed(DRAWN))
        tower.trunk.requires_grad_(False)
        self._weight, self._bias = classifier.classifier.weight.detach(), classifier.classifier.bias.detach()
        train, val = (None, None) if real is None else (real / "train", real / "val")
        self._gallery = self._features(out / GALLERY, train, self._shape.scenes)
        self._held_out = self._features(out / f"held-out-{GALLERY}", val, self._shape.validation, VALIDATION_SEED)
        every = self._gallery.features.float()
        with torch.no_grad():
            self.model.logit_scale.fill_(float(np.log(20.0)))
            tower.trunk.mean.copy_(every.mean(0))
            tower.trunk.scale.copy_(1 / every.std(0).clamp(min=1e-3))
            self._directions = self._class_directions()
            self._start_projection(tower.head.proj)
        probabilities = self._probabilities(self._gallery)
        self._speaker = Speaker(self._gallery, probabilities)
        self._rows = {origin: self._of_origin(origin) for origin in _MIX}
        generator = torch.Generator().manual_seed(seed)
        count = len(COLOURS) + len(PATTERNS) + len(SHAPES)
        codes = torch.randn(self.model.text_projection.shape[1], count, generator=generator)
        self._codes = torch.linalg.qr(codes)[0].T.to(device)
        self.phases: tuple[Phase, ...] = (Phase(1.0, "names", self._batches),)
        self.rates: Mapping[str, float] = {}

    def loss(self, batch: NamingBatch, number: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """See `loop.Task`."""
        model = self.model
        device = model.logit_scale.device
        with torch.no_grad():
            model.logit_scale.clamp_(max=float(np.log(LARGEST_SCALE)))
        template = TEMPLATES[number % len(TEMPLATES)]
        sentences = [each.sentence for each in batch.statements]
        sentences += [template.replace("{}", text) for text in _NEGATIVES]
        texts = F.normalize(encode_texts(model, self.tokenizer(sentences).to(device)).float(), dim=-1)
        said, negatives = texts[: len(batch.statements)], texts[len(batch.statements) :]
        raw = self._gallery.features[batch.rows].float().to(device)
        things = self._seen(model, raw, DROPPED)
        truth = self._speaker.truth(batch.rows, batch.statements).to(device)
        scale = model.logit_scale.exp()
        of_thing = _attributes(self._gallery, batch.rows).to(device)
        of_text = torch.tensor([[each.colour, each.pattern, each.shape] for each in batch.statements], device=device)
        classes = batch.classes.to(device)
        called = said[-len(classes) :]
        terms = {
            "true": contrast(things, truth, said, negatives, scale),
            "thing attributes": classify(things, of_thing, self._codes, scale),
            "text attributes": classify(said, of_text, self._codes, scale),
            "classes": self._classes(called, batch, scale),
            "classifier": self._taught(raw, things, batch.rows, called, classes, scale),
        }
        loss = torch.stack(list(terms.values())).sum()
        return loss, {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Of held-out things: shares of right answers.

        `named`: the thing's own name fits best of all words. `true` and `false`: its name leads the negatives, and another
        word does not. `attributes`: of two descriptions that differ in colour, pattern or shape, the true one fits better.
        """
        built: Any = model
        gallery, figures = self._held_out, {}
        things = self._seen(built, gallery.features.float())

        def embedded(words: list[str]) -> Tensor:
            return torch.cat([self._embedded(built, words[i : i + 64]) for i in range(0, len(words), 64)])

        negatives = embedded(list(NEGATIVES))
        against = (things @ negatives.T).amax(1)
        words = [word for word in gallery.words if word != "?"]
        crops = (gallery.origins == REAL) & ~gallery.cells
        if words and crops.any():
            own = gallery.names[crops][:, [gallery.words.index(word) for word in words]]
            similarity = things[crops] @ embedded(words).T
            figures["named"] = float(own.gather(1, similarity.argmax(1, keepdim=True)).float().mean())
            leads = similarity - against[crops][:, None]
            figures["true"] = float((leads[own] > 0).float().mean())
            figures["false"] = float((leads[~own] <= 0).float().mean())
        rng = np.random.default_rng((self._seed, 9))
        speaker = Speaker(gallery, self._probabilities(gallery))
        world = ((gallery.origins == WORLD) & ~gallery.cells).nonzero()[:, 0].tolist()
        pairs = [(row, speaker.about(rng, row)) for row in world]
        texts = embedded([each.sentence for _, two in pairs for each in two]).unflatten(0, (-1, 2))
        leads = torch.einsum("nd,ntd->nt", things[[row for row, _ in pairs]], texts)
        figures["attributes"] = float((leads[:, 0] > leads[:, 1]).float().mean())
        return figures

    # ---- pieces ----

    def _features(self, path: Path, real: Path | None, scenes: int, first: int | None = None) -> Gallery:
        """Raises `InputError` where what is kept was seen by another trunk."""
        folded = trunk.copy_folded(self.model.visual.trunk)
        if path.exists():
            gallery = Gallery.load(path)
            if gallery.trunk != weights_digest(folded):
                raise InputError(
                    f"What {path} keeps was seen by another version of the trunk; remove it, or name another --out."
                )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            gallery = collect(folded, self.model.visual.image_size[0], real, scenes, self._seed, first)
            gallery.save(path)
        return gallery.also_called(SYNONYMS)

    def _of_origin(self, origin: int) -> list[Tensor]:
        """Rows by the first name that their data set gives them, where things have names, since what is rare is to be learned
        too; else all together.
        """
        rows = (self._gallery.origins == origin).nonzero()[:, 0]
        if origin != REAL or not len(rows):
            return [rows] if len(rows) else []
        first = self._gallery.names[rows][:, self._gallery.own_words].int().argmax(1)
        return [rows[first == name] for name in first.unique()]

    @staticmethod
    def _seen(model: Any, raw: Tensor, dropped: float = 0.0) -> Tensor:
        """Embeddings (n, D), unit norm, of the gallery's features (n, C)."""
        visual = model.visual
        return F.normalize(visual.head(F.dropout(visual.trunk.standardised(raw), dropped)), dim=-1)

    def _last(self, features: Tensor) -> Tensor:
        """What of them the classifier looks at."""
        return features[..., -self._weight.shape[1] :]

    def _probabilities(self, gallery: Gallery) -> Tensor:
        """(n, 1000), what the classifier says of each thing."""
        parts = gallery.features.split(4096)
        return torch.cat([(self._last(part.float()) @ self._weight.T + self._bias).softmax(1) for part in parts])

    def _class_directions(self) -> Tensor:
        """(1000, C): what the features of a thing of each class have beside the mean, as things that are seen vary."""
        centred = self._gallery.features.float() - self.model.visual.trunk.mean
        weight = self._weight - self._weight.mean(0)
        directions = weight @ (self._last(centred).T @ centred) / len(centred)
        return directions * (GAP / (self._last(directions) * weight).sum(1, keepdim=True))

    def _start_projection(self, projection: nn.Linear) -> None:
        """The directions in which classes differ most; what all things have in common is taken away by the trunk."""
        _, _, axes = torch.linalg.svd(self._directions * self.model.visual.trunk.scale, full_matrices=False)
        projection.weight.copy_(axes[: projection.out_features])
        projection.bias.zero_()

    def _classes(self, called: Tensor, batch: NamingBatch, scale: Tensor) -> Tensor:
        """Names of classes, and things made up of the classes' features, find one another; no picture is needed."""
        device = scale.device
        mean = self.model.visual.trunk.mean
        seen = self._gallery.features[batch.rows[: len(batch.classes)]].float().to(device)
        made_up = mean + self._directions[batch.classes].to(device) + OTHERWISE * (seen - mean)
        similarity = scale * (called @ self._seen(self.model, made_up, DROPPED).T)
        same = torch.arange(len(called), device=device)
        return (F.cross_entropy(similarity, same) + F.cross_entropy(similarity.T, same)) / 2

    def _taught(
        self, raw: Tensor, things: Tensor, rows: Tensor, called: Tensor, classes: Tensor, scale: Tensor
    ) -> Tensor:
        """Real things are nearer to the names of what the classifier takes them for, as much as it is sure of it."""
        real = (self._gallery.origins[rows] != WORLD).to(raw.device)
        says = (self._last(raw[real]) @ self._weight[classes].T + self._bias[classes]).softmax(1)
        thinks = (scale * (things[real] @ called.T)).log_softmax(1)
        return -(says * thinks).sum(1).mean() if real.any() else thinks.sum()

    def _embedded(self, model: Any, words: list[str]) -> Tensor:
        sentences = [template.replace("{}", word) for word in words for template in TEMPLATES[:NAMED_AT_ONCE]]
        each = F.normalize(encode_texts(model, self.tokenizer(sentences)).float(), dim=-1)
        return F.normalize(each.unflatten(0, (-1, NAMED_AT_ONCE)).mean(1), dim=-1)

    def _batches(self, first: int, _workers: int) -> Iterator[NamingBatch]:
        # All is in memory already: other processes would only copy it.
        return stream(partial(_batch, self), first, 0)

    def batch(self, number: int) -> NamingBatch:
        """The batch `number`; the same for the same number."""
        rng, shape = np.random.default_rng((self._seed, number, 1)), self._shape
        origins = [origin for origin in _MIX if self._rows[origin]]
        shares = np.array([_MIX[origin] for origin in origins])
        rows = []
        for origin in rng.choice(origins, shape.things, p=shares / shares.sum()):
            groups = self._rows[origin]
            often = np.array([len(rows_of) ** 0.5 for rows_of in groups])
            named = groups[int(rng.choice(len(groups), p=often / often.sum()))]
            rows.append(int(named[rng.integers(len(named))]))
        statements = [each for row in rows[: shape.spoken_of] for each in self._speaker.about(rng, row)]
        statements += self._speaker.at_random(rng, shape.nouns, shape.words, shape.absent)
        classes = rng.permutation(len(self._weight))[: shape.classes]
        statements += self._speaker.of_classes(rng, classes)
        return NamingBatch(torch.tensor(rows), statements, torch.from_numpy(classes))


def _sample() -> Tensor:
    """Scenes of the generated world, as the trunk takes them."""
    frames = [generate(HELD_OUT_SEED // 2 + index, 1 + index % 3, 1, (288, 384)).frames[0] for index in range(SAMPLE)]
    return normalised(torch.from_numpy(np.stack(frames)))


def _batch(task: ClipTask, number: int) -> NamingBatch:
    return task.batch(number)


def _attributes(gallery: Gallery, rows: Tensor) -> Tensor:
    """int64 (rows, 3): colour, pattern, shape; `UNKNOWN`."""
    return torch.stack((gallery.colours[rows], gallery.patterns[rows], gallery.shapes[rows]), dim=1)
