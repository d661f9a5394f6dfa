"""The learned router: a small MLP on a token and its cues, and its file."""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from fastsam2_ros.errors import ModelError
from fastsam2_ros.pruning.cues import CUES
from fastsam2_ros.weights import read_tensors

HIDDEN = 64
_TRAIN = "Train one with 'fastsam2 train router' and give its path as pruning.router, or set pruning.router to 'sum'."


class LearnedRouter(nn.Module):
    """Two layers from a token and its cues to the logit of the token holding a part of the target or of its border.

    The first layer is split: its part for the token, which is normalised over its channels, is the same for all targets and
    computed once. Its part for the cues starts at zero, so that a cue which was never seen in training stays without effect.

    Args:
        width: C of the tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.of_token = nn.Linear(width, HIDDEN)
        self.of_cues = nn.Linear(len(CUES), HIDDEN, bias=False)
        self.out = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.of_cues.weight)

    @property
    def cues(self) -> tuple[str, ...]:
        """Names of the cues that it has learnt something of."""
        return tuple(name for name, used in zip(CUES, self.of_cues.weight.any(0).tolist(), strict=True) if used)

    def forward(self, tokens: Tensor, maps: Tensor) -> Tensor:
        """Score tokens.

        Args:
            tokens: (..., N, C).
            maps: (..., len(CUES), N), [0, 1]; dimensions before the last two are broadcast.

        Returns:
            float32, (..., N), logits.
        """
        hidden = self.of_token(F.layer_norm(tokens.float(), (self.width,)))
        return self.out(F.gelu(hidden + self.of_cues(maps.float().mT)))[..., 0]


def metadata(model: str, width: int) -> dict[str, str]:
    """What a router's file says of itself, beside its weights."""
    return {"model": Path(model).stem, "width": str(width), "cues": " ".join(CUES)}


def load(path: Path, model: str, width: int) -> LearnedRouter:
    """A trained router, ready to use.

    Args:
        path: a .safetensors file of 'fastsam2 train router'.
        model: `ModelConfig.name` that it will be used with.
        width: C of that model's tokens.

    Raises:
        ModelError: missing, damaged, no router, or one for another model, token width or set of cues.
    """
    if not path.is_file():
        raise ModelError(f"There is no learned router {path}. {_TRAIN}")
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read as a router ({error}). {_TRAIN}") from error
    state = read_tensors(path)
    expected = metadata(model, width)
    if said.keys() != expected.keys():
        raise ModelError(f"{path} is no router. {_TRAIN}")
    for name in ("width", "cues", "model"):
        if said[name] != expected[name]:
            raise ModelError(
                f"The router {path} was trained for the {_NAMES[name]} {said[name]!r}, not for {expected[name]!r}. {_TRAIN}"
            )
    router = LearnedRouter(width)
    try:
        router.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"The router {path} has other layers than this version's. {_TRAIN}") from error
    return router.eval().requires_grad_(False)


_NAMES = {"width": "token width", "cues": "cues", "model": "model"}
