"""The method written the slow way: float64, explicit loops, nothing shared with the package under test.

Every function takes tensors of any floating dtype and returns float64 (masks: bool). "SPEC n" in a docstring is the
numbered section of the method's specification; "paper n" is the MS-Diffusion paper's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

LAYER_NORM_EPS = 1e-5
MIN_MAX_EPS = 1e-5
FOURIER_BASE = 100.0


# --- Small pieces -----------------------------------------------------------------------------------------------------


def softmax_row(logits: Tensor) -> Tensor:
    """Softmax of one row of logits, [k] -> [k]."""
    exponentials = torch.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def gelu(x: Tensor) -> Tensor:
    """The exact GELU: x times the standard normal's distribution function."""
    return 0.5 * x * (1.0 + torch.erf(x / math.sqrt(2.0)))


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Normalise the last axis to mean 0 and (biased) variance 1, then scale and shift."""
    x = x.double()
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + LAYER_NORM_EPS) * weight.double() + bias.double()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias, with weight stored [out, in]."""
    y = x.double() @ weight.double().T
    return y if bias is None else y + bias.double()


def _norm_named(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return layer_norm(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _linear_named(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


# --- Grounding resampler: SPEC 3, paper 3.4 ---------------------------------------------------------------------------


def fourier(boxes: Tensor, num_freqs: int) -> Tensor:
    """Fourier embedding of boxes, SPEC 3: [n, 4] (x0, y0, x1, y1) -> [n, 8 * num_freqs].

    Frequencies are 100^(k / num_freqs) with no 2 pi; each contributes four sines, then four cosines. The boxes are
    rounded to fp32 first, because that is the precision in which they are handed around.
    """
    rows = []
    for box in boxes.float().double().tolist():
        row = []
        for k in range(num_freqs):
            frequency = FOURIER_BASE ** (k / num_freqs)
            row.extend(math.sin(frequency * coordinate) for coordinate in box)
            row.extend(math.cos(frequency * coordinate) for coordinate in box)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), 8 * num_freqs)


def query_init(state: dict[str, Tensor], phrase_embeds: Tensor, boxes: Tensor, grounding: bool = True) -> Tensor:
    """First queries of the resampler, SPEC 3: [n, p] phrases and [n, 4] boxes -> [n, t, D].

    Grounding dropped: the stored latents as they are, no LayerNorm, the same for every subject.
    """
    _, t, width = state["grounding_latents"].shape
    n = boxes.shape[0]
    if not grounding:
        return torch.stack([state["grounding_latents"][0].double() for _ in range(n)])

    phrase_width = phrase_embeds.shape[-1]
    fourier_width = state["latent_proj.0.weight"].shape[1] - phrase_width
    if fourier_width <= 0 or fourier_width % 8 != 0:
        raise ValueError(
            f"latent_proj takes {phrase_width + fourier_width} inputs and a phrase embedding has {phrase_width}: "
            "what is left for the box must be a multiple of 8."
        )
    embedded_boxes = fourier(boxes, fourier_width // 8)

    queries = []
    for j in range(n):
        joined = torch.cat([phrase_embeds[j].double(), embedded_boxes[j]])
        hidden = gelu(_linear_named(state, "latent_proj.0", joined))
        flat = _linear_named(state, "latent_proj.2", hidden)
        queries.append(_norm_named(state, "latent_norm", flat.reshape(t, width)))
    return torch.stack(queries)


def resampler_attention(state: dict[str, Tensor], layer: int, x: Tensor, q: Tensor, head_dim: int) -> Tensor:
    """One RSAttn for one subject (SPEC 3, paper equation 3): x [m, D], q [t, D] -> [t, D], before the residual."""
    prefix = f"layers.{layer}.0"
    normed_x = _norm_named(state, f"{prefix}.norm1", x)
    normed_q = _norm_named(state, f"{prefix}.norm2", q)
    queries = _linear_named(state, f"{prefix}.to_q", normed_q)
    keys_and_values = _linear_named(state, f"{prefix}.to_kv", torch.cat([normed_x, normed_q], dim=0))
    inner = queries.shape[-1]
    keys = keys_and_values[:, :inner]
    values = keys_and_values[:, inner:]

    out = torch.zeros_like(queries)
    for head in range(inner // head_dim):
        channels = slice(head * head_dim, (head + 1) * head_dim)
        for token in range(queries.shape[0]):
            logits = keys[:, channels] @ queries[token, channels] / math.sqrt(head_dim)
            out[token, channels] = softmax_row(logits) @ values[:, channels]
    return _linear_named(state, f"{prefix}.to_out", out)


def resampler(
    state: dict[str, Tensor],
    features: Tensor,
    phrase_embeds: Tensor,
    boxes: Tensor,
    grounding: bool = True,
    head_dim: int = 64,
) -> Tensor:
    """Grounding resampler, SPEC 3: features [n, m, f], phrases [n, p], boxes [n, 4] -> tokens [n, t, C].

    Subjects are processed one after the other and never see each other.
    """
    first_queries = query_init(state, phrase_embeds, boxes, grounding)
    num_layers = 0
    while f"layers.{num_layers}.0.to_q.weight" in state:
        num_layers += 1

    tokens = []
    for j in range(features.shape[0]):
        x = _linear_named(state, "proj_in", features[j])
        q = first_queries[j]
        for layer in range(num_layers):
            q = q + resampler_attention(state, layer, x, q, head_dim)
            ffn = f"layers.{layer}.1"
            hidden = gelu(_linear_named(state, f"{ffn}.1", _norm_named(state, f"{ffn}.0", q)))
            q = q + _linear_named(state, f"{ffn}.3", hidden)
        projected = _linear_named(state, "proj_out", _norm_named(state, "attention_norm", q))
        tokens.append(_norm_named(state, "norm_out", projected))
    return torch.stack(tokens)


# --- Multi-subject cross-attention: SPEC 4, paper 3.5 -----------------------------------------------------------------


def _cell_range(low: float, high: float, size: int) -> range:
    """Cells c with floor(low * size) <= c < ceil(high * size), both products rounded to fp32 (SPEC 4)."""
    low32 = torch.tensor(low, dtype=torch.float32)
    high32 = torch.tensor(high, dtype=torch.float32)
    first = int(torch.floor(low32 * size))
    end = int(torch.ceil(high32 * size))
    if bool(high32 > low32) and end <= first:
        # The side has a length, but both of its ends rounded to the same cell border.
        first = min(first, size - 1)
        end = first + 1
    return range(max(first, 0), min(end, size))


def box_cells(box: Tensor | Sequence[float], h: int, w: int) -> Tensor:
    """Cells of an h x w feature map inside one box (x0, y0, x1, y1), SPEC 4: -> bool [h, w].

    A box with an area always holds at least one cell. The zero box holds none.
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    cells = torch.zeros(h, w, dtype=torch.bool)
    for r in _cell_range(y0, y1, h):
        for c in _cell_range(x0, x1, w):
            cells[r, c] = True
    return cells


def boxes_cells(boxes: Tensor | Sequence[Sequence[float]], h: int, w: int) -> Tensor:
    """`box_cells` of every subject: [n, 4] -> bool [n, h, w]."""
    return torch.stack([box_cells(box, h, w) for box in boxes])


def window_box_cells(box: Sequence[Fraction], h: int, w: int, window: Sequence[Fraction]) -> Tensor:
    """Cells of an h x w map of a window of the frame that a box reaches into, in exact fractions: -> bool [h, w]."""
    x0, y0, x1, y1 = box
    left, top, right, bottom = window
    cells = torch.zeros(h, w, dtype=torch.bool)
    for r in range(h):
        cell_top, cell_bottom = (top + (bottom - top) * Fraction(edge, h) for edge in (r, r + 1))
        for c in range(w):
            cell_left, cell_right = (left + (right - left) * Fraction(edge, w) for edge in (c, c + 1))
            cells[r, c] = min(x1, cell_right) > max(x0, cell_left) and min(y1, cell_bottom) > max(y0, cell_top)
    return cells


def window_coverage(mask: Tensor, h: int, w: int, window: Sequence[float]) -> Tensor:
    """Share of each cell of an h x w map of a window that a mask [H, W] of the frame covers: -> [h, w].

    What lies outside the frame is not covered.
    """
    left, top, right, bottom = window
    rows, columns = mask.shape
    coverage = torch.zeros(h, w, dtype=torch.float64)
    for r in range(h):
        for c in range(w):
            y0, y1 = ((top + (bottom - top) * edge / h) * rows for edge in (r, r + 1))
            x0, x1 = ((left + (right - left) * edge / w) * columns for edge in (c, c + 1))
            for y in range(max(math.floor(y0), 0), min(math.ceil(y1), rows)):
                for x in range(max(math.floor(x0), 0), min(math.ceil(x1), columns)):
                    area = (min(y1, y + 1) - max(y0, y)) * (min(x1, x + 1) - max(x0, x))
                    coverage[r, c] += float(mask[y, x]) * area / ((y1 - y0) * (x1 - x0))
    return coverage


def masked_attention(
    q: Tensor,
    keys: Sequence[Tensor] | Tensor,
    values: Sequence[Tensor] | Tensor,
    cells: Tensor,
    heads: int,
    subject_scales: Sequence[float] | None = None,
    softmax_scale: float | None = None,
) -> Tensor:
    """Image attention, SPEC 4 and paper equations 4 to 6: q [b, h*w, heads*d] -> z_img of the same shape.

    keys, values: one [t_j, heads*d] per subject (or stacked [n, t, heads*d]), the same for every row.
    cells: bool [n, h, w] for all rows or [b, n, h, w] row by row; positions are flattened row by row of the map.
    One softmax runs over the tokens of all subjects that cover the position; probabilities on subject j's tokens are
    multiplied by subject_scales[j] after it; a position nobody covers gets zero.
    softmax_scale: factor on the logits, 1 / sqrt(d) unless given.
    """
    b, positions, width = q.shape
    n = len(keys)
    if cells.ndim == 3:
        cells = torch.stack([cells] * b)
    if cells.shape[0] != b or cells.shape[1] != n or cells.shape[2] * cells.shape[3] != positions:
        raise ValueError(f"cells {tuple(cells.shape)} do not fit {b} rows, {n} subjects and {positions} positions.")
    d = width // heads
    softmax_scale = 1.0 / math.sqrt(d) if softmax_scale is None else softmax_scale
    subject_scales = [1.0] * n if subject_scales is None else [float(s) for s in subject_scales]
    q = q.double()

    z_img = torch.zeros(b, positions, width, dtype=torch.float64)
    for row in range(b):
        for position in range(positions):
            r, c = divmod(position, cells.shape[3])
            covering = [j for j in range(n) if bool(cells[row, j, r, c])]
            if not covering:
                continue
            k = torch.cat([keys[j].double() for j in covering])
            v = torch.cat([values[j].double() for j in covering])
            after = torch.cat([torch.full((len(keys[j]),), subject_scales[j], dtype=torch.float64) for j in covering])
            for head in range(heads):
                channels = slice(head * d, (head + 1) * d)
                probabilities = softmax_row(k[:, channels] @ q[row, position, channels] * softmax_scale)
                z_img[row, position, channels] = (probabilities * after) @ v[:, channels]
    return z_img


def text_probabilities(q: Tensor, k_txt: Tensor, heads: int) -> Tensor:
    """Softmax of the text attention over all text tokens: [b, p, heads*d], [b, l, heads*d] -> [b, heads, p, l]."""
    b, positions, width = q.shape
    d = width // heads
    probabilities = torch.zeros(b, heads, positions, k_txt.shape[1], dtype=torch.float64)
    for row in range(b):
        for head in range(heads):
            channels = slice(head * d, (head + 1) * d)
            for position in range(positions):
                logits = k_txt[row, :, channels].double() @ q[row, position, channels].double() / math.sqrt(d)
                probabilities[row, head, position] = softmax_row(logits)
    return probabilities


def text_attention(q: Tensor, k_txt: Tensor, v_txt: Tensor, heads: int) -> Tensor:
    """z_txt, the layer's ordinary text cross-attention (paper 3.1): -> [b, p, heads*d]."""
    d = q.shape[-1] // heads
    probabilities = text_probabilities(q, k_txt, heads)
    per_head = []
    for head in range(heads):
        per_head.append(probabilities[:, head] @ v_txt[:, :, head * d : (head + 1) * d].double())
    return torch.cat(per_head, dim=-1)


def cross_attention(
    q: Tensor,
    k_txt: Tensor,
    v_txt: Tensor,
    tokens: Sequence[Tensor] | Tensor,
    to_k_ip: Tensor,
    to_v_ip: Tensor,
    cells: Tensor,
    heads: int,
    scale: float = 1.0,
    subject_scales: Sequence[float] | None = None,
    conditional: Sequence[bool] | None = None,
) -> Tensor:
    """z_txt + scale * z_img, before the layer's output projection (SPEC 4): -> [b, h*w, heads*d].

    q [b, h*w, heads*d], k_txt and v_txt [b, l, heads*d] are already projected; tokens: one [t_j, C] per subject;
    to_k_ip, to_v_ip [heads*d, C]; cells as in `masked_attention`. Rows where `conditional` is false get the text alone
    (all rows are conditional by default). With subject_scales the specification has scale = 1, its default here.
    """
    z_txt = text_attention(q, k_txt, v_txt, heads)
    keys = [linear(subject_tokens, to_k_ip) for subject_tokens in tokens]
    values = [linear(subject_tokens, to_v_ip) for subject_tokens in tokens]
    z_img = masked_attention(q, keys, values, cells, heads, subject_scales)
    z = z_txt.clone()
    for row in range(q.shape[0]):
        if conditional is None or conditional[row]:
            z[row] = z_txt[row] + scale * z_img[row]
    return z


# --- Auto layout: SPEC 5, paper appendix M ----------------------------------------------------------------------------


def phrase_maps(
    q: Tensor, k_txt: Tensor, spans: Sequence[tuple[int, int] | None], heads: int, h: int, w: int
) -> Tensor:
    """Text attention of each subject's phrase at one step, SPEC 5: -> [b, n, h, w].

    spans: per subject the half-open token range (start, end) of its phrase, None for a phrase not in the prompt, whose
    map is zero. Probabilities are averaged over the span, then over the heads. Pass conditional rows only.
    """
    probabilities = text_probabilities(q, k_txt, heads)
    maps = torch.zeros(q.shape[0], len(spans), h, w, dtype=torch.float64)
    for row in range(q.shape[0]):
        for j, span in enumerate(spans):
            if span is None or span[1] <= span[0]:
                continue
            for position in range(h * w):
                of_heads = [probabilities[row, head, position, span[0] : span[1]].mean() for head in range(heads)]
                maps[row, j, position // w, position % w] = sum(of_heads) / heads
    return maps


def min_max_normalise(one_map: Tensor) -> Tensor:
    """(m - min) / (max - min + 1e-5) over one map [h, w] (SPEC 5)."""
    one_map = one_map.double()
    return (one_map - one_map.min()) / (one_map.max() - one_map.min() + MIN_MAX_EPS)


class AutoLayoutReference:
    """Regions from text attention over one sampling run (SPEC 5); a new run is a new object.

    Call `observe` in every layer at every sampling step (counted from 1), then `cells`. Only the step number moves
    the run on: observing a layer again within a step replaces that step's maps, so it still counts once.
    """

    def __init__(self, threshold: float = 0.5, start_step: int = 5) -> None:
        self.threshold = threshold
        self.start_step = start_step
        self.observed: dict[Hashable, dict[int, Tensor]] = {}

    def observe(self, layer: Hashable, step: int, maps: Tensor) -> None:
        """Remember one layer's `phrase_maps` [b, n, h, w] of a step."""
        self.observed.setdefault(layer, {})[step] = maps.double()

    def mean_maps(self, layer: Hashable, step: int) -> Tensor:
        """Mean of the layer's maps over the steps so far, `step` included: [b, n, h, w]."""
        so_far = [maps for seen, maps in self.observed[layer].items() if seen <= step]
        return sum(so_far) / len(so_far)

    def normalised(self, layer: Hashable, step: int) -> Tensor:
        """The mean maps, each min-max normalised; a test can read from it how near the threshold a cell lies."""
        mean = self.mean_maps(layer, step)
        return torch.stack([torch.stack([min_max_normalise(one_map) for one_map in row]) for row in mean])

    def cells(self, layer: Hashable, step: int, box_mask: Tensor) -> Tensor:
        """Masks the layer uses at `step`: box_mask bool [n, h, w] before start_step, then regions; [b, n, h, w]."""
        if step < self.start_step:
            return torch.stack([box_mask] * self.mean_maps(layer, step).shape[0])
        return self.normalised(layer, step) > self.threshold
