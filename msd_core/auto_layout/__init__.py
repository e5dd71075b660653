"""Auto layout: the prompt's own cross-attention says where each subject is.

    settings    how it takes over from the boxes
    maps        maps of phrases and words from queries and keys
    paper       the paper's method: each layer's own maps, cut
    places      where a region may stand, and its cells there
    fit         from maps to places
    steady      one fitted region per subject and step, then frozen
"""

from .maps import phrase_maps, span_matrix, word_columns, word_maps
from .paper import PaperLayout, RunningMean, regions_of
from .settings import METHODS, AutoLayoutSettings
from .steady import Shown, SteadyLayout, layers_read

__all__ = [
    "METHODS", "AutoLayoutSettings", "PaperLayout", "RunningMean", "Shown", "SteadyLayout", "layers_read",
    "phrase_maps", "regions_of", "span_matrix", "word_columns", "word_maps",
]
