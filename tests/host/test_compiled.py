"""torch.compile, as the host's own node asks for it: no guard looks at options, so a trace serves every later graph.

The backend `eager` traces as all do and computes with PyTorch, so that nothing has to be built; the last test takes the
node itself.
"""

import types

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT
from tests.host.test_watch import PROMPT, last, watch

CLOSE = 1e-3
"""Of latents whose subjects differ by more than 1."""
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def nothing_traced(host):
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.fixture
def in_one_piece(host, monkeypatch):
    """PyTorch's attention, as on GPUs: what a CPU has by default asks for the free memory, which can't be traced."""
    import comfy.ldm.modules.attention as attention

    for module in (attention, host.module("nodes.host.slot")):
        monkeypatch.setattr(module, "optimized_attention", attention.attention_pytorch)


def compiled(model, backend="eager"):
    from comfy_api.torch_helpers import set_torch_compile_wrapper
    from comfy_extras.nodes_torch_compile import skip_torch_compile_dict

    clone = model.clone()
    set_torch_compile_wrapper(clone, backend=backend, options={"guard_filter_fn": skip_torch_compile_dict})
    return clone


def same(a, b) -> bool:
    return (a - b).abs().max() < CLOSE


@pytest.fixture
def graphs(studio):
    """What somebody tries one after the other: no subjects, subjects, others, another scale, other boxes."""
    others = [studio.subject("dog", seed=5), studio.subject("red backpack", seed=6)]
    return {
        "none": studio.demo.model,
        "two": studio.apply(studio.encode()),
        "others": studio.apply(studio.encode(subjects=others)),
        "weaker": studio.apply(studio.encode(), scale=0.3),
        "boxes": studio.apply(studio.encode(((0.0, 0.1, 0.9, 0.9), RIGHT))),
        "one": studio.apply(studio.encode((LEFT,))),
    }


@pytest.mark.parametrize("order", [
    ("none", "two", "others", "none", "weaker", "boxes", "one", "two"), ("two", "none", "one", "others"),
], ids=["first without subjects", "first with subjects"])
def test_each_graph_makes_its_own_picture_whatever_was_compiled_before(studio, in_one_piece, graphs, order, said):
    plain = {name: studio.sample(model) for name, model in graphs.items()}
    pairs = [(a, b) for a in plain for b in plain if a < b]
    assert all((plain[a] - plain[b]).abs().max() > 1 for a, b in pairs)
    for name in order:
        assert same(studio.sample(compiled(graphs[name])), plain[name]), name
    assert not said("were reached") and not said("was reached")


def test_a_trace_in_pieces_serves_other_subjects(studio, graphs):
    for name in ("two", "others", "weaker", "one", "two"):
        assert same(studio.sample(compiled(graphs[name])), studio.sample(graphs[name])), name


def test_layers_that_are_not_traced_after_all_keep_their_place(studio, in_one_piece, monkeypatch):
    model = studio.apply()
    block = model.get_model_object("diffusion_model").output_blocks[0][1]
    monkeypatch.setattr(block, "forward", torch.compiler.disable(block.forward))
    assert same(studio.sample(compiled(model)), studio.sample(model))


def test_subjects_applied_behind_the_compiling_node_act_as_well(studio, in_one_piece, graphs):
    for name in ("none", "two"):
        studio.sample(compiled(graphs[name]))
        model = studio.apply(model=compiled(studio.demo.model))
        assert same(studio.sample(model), studio.sample(graphs["two"])), name


def test_what_was_compiled_with_subjects_serves_other_subjects(studio, in_one_piece, graphs):
    from torch._dynamo.utils import counters

    studio.sample(compiled(graphs["two"]))
    counters.clear()
    for name in ("others", "weaker", "boxes", "none"):
        studio.sample(compiled(graphs[name]))
    assert counters["frames"]["total"] == 0


@pytest.mark.parametrize("method", ["steady", "paper"])
def test_auto_layout_follows_the_prompt_of_a_compiled_model(host, studio, in_one_piece, method):
    auto = host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt=PROMPT, method=method, threshold=0.5,
                     start_step=2)[0]
    studio.sample(compiled(studio.apply()))  # traced without what reads texts
    model = studio.apply(auto_layout=auto)
    assert same(studio.sample(compiled(model), steps=4), studio.sample(model, steps=4))


def test_a_compiled_run_is_watched_as_any(host, studio, in_one_piece):
    embeds = studio.encode()
    model, attribution = watch(host, studio, studio.apply(embeds), embeds)
    studio.sample(model)
    plain = last(attribution)
    studio.sample(compiled(model))
    assert (last(attribution).subject - plain.subject).abs().max() < CLOSE
    assert (last(attribution).text - plain.text).abs().max() < CLOSE


def test_a_compiled_module_in_the_unets_place_does_as_well(studio, in_one_piece):
    model = studio.apply()
    clone = model.clone()
    clone.add_object_patch("diffusion_model", torch.compile(clone.get_model_object("diffusion_model"), backend="eager"))
    assert same(studio.sample(clone), studio.sample(model))


def test_a_compiled_model_that_leaves_layers_out_is_refused(studio, in_one_piece, monkeypatch):
    model = studio.apply()
    block = model.get_model_object("diffusion_model").middle_block

    def skipped(self, x, *_, **__):
        return x

    monkeypatch.setattr(block[1], "forward", types.MethodType(skipped, block[1]))
    with pytest.raises(ValueError, match=r"called \d cross-attentions but the adapter has 4 layers"):
        studio.sample(compiled(model))


@pytest.mark.slow
def test_the_hosts_own_node_compiles_subjects(host, studio, graphs):
    for name in ("none", "two", "others"):
        (model,) = host.call("TorchCompileModel", model=graphs[name], backend="inductor")
        assert same(studio.sample(model), studio.sample(graphs[name])), name
