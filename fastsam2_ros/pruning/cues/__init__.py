"""The cues that tokens are scored by: pure functions on the token grid, each giving (targets, N) in [0, 1].

The three cues of arXiv 2512.21333 are local visual context (with the target's own appearance as a cue of its own), relevance
to the text, and uncertainty; the last mask is the prior.
"""

from fastsam2_ros.pruning.cues.appearance import appearance, prototype
from fastsam2_ros.pruning.cues.context import local_context
from fastsam2_ros.pruning.cues.mask import mask_prior
from fastsam2_ros.pruning.cues.text import text_relevance
from fastsam2_ros.pruning.cues.uncertainty import uncertainty
from fastsam2_ros.streaming.values import Grid

CUES = ("mask", "context", "appearance", "text", "uncertainty")
"""Their names, in the order in which their maps are stacked. `pruning.NAME_weight` is the weight of each."""

__all__ = [
    "CUES",
    "Grid",
    "appearance",
    "local_context",
    "mask_prior",
    "prototype",
    "text_relevance",
    "uncertainty",
]
