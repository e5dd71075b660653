"""Attribution: what a watched run shows, and which run made the images."""

from types import SimpleNamespace

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT, slots_of

PROMPT = "a dog and a red backpack"


def watch(host, studio, model, embeds, prompt=PROMPT):
    return host.call("MSDiffusionAttribution", model=model, embeds=embeds, clip=studio.demo.clip, prompt=prompt)


def watched(host, studio, embeds=None, **inputs):
    """A model with subjects that is watched, and where its runs are kept."""
    embeds = studio.encode((LEFT, RIGHT)) if embeds is None else embeds
    return watch(host, studio, studio.apply(embeds, **inputs), embeds)


def maps_of(host, attribution, images, source="subject"):
    return host.call("MSDiffusionAttributionMaps", attribution=attribution, images=images, source=source)


def last(attribution):
    return attribution.runs[-1]


@pytest.mark.parametrize("watch_last", [True, False])
def test_watching_does_not_change_the_picture_by_a_bit(host, studio, watch_last):
    embeds = studio.encode()
    if watch_last:
        model, attribution = watch(host, studio, studio.apply(embeds), embeds)
    else:
        model, attribution = watch(host, studio, studio.demo.model, embeds)
        model = studio.apply(embeds, model)
    assert torch.equal(studio.sample(model), studio.sample(studio.apply(embeds)))
    assert last(attribution).subject is not None


def test_watching_a_model_without_subjects_changes_nothing_and_shows_the_text(host, studio):
    model, attribution = watch(host, studio, studio.demo.model, studio.encode())
    assert torch.equal(studio.sample(model), studio.sample(studio.demo.model))
    assert last(attribution).text.max() > 0
    with pytest.raises(ValueError, match="no subject maps"):
        maps_of(host, attribution, torch.zeros(1, 80, 80, 3))
    assert slots_of(studio.demo.model) == {}


def test_the_canvas_is_told_each_subjects_map(host, studio):
    import folder_paths
    from PIL import Image

    model, attribution = watched(host, studio)
    studio.sample(model, (12, 12))
    node = host.nodes["MSDiffusionAttributionMaps"]
    told = node.EXECUTE_NORMALIZED(attribution=attribution, images=torch.rand(1, 96, 96, 3), source="subject").ui
    (report,) = told["msd_attribution"]
    assert report["source"] == "subject"
    left, right = (
        Image.open(f"{folder_paths.get_temp_directory()}/{record['subfolder']}/{record['filename']}").convert("L")
        for record in report["maps"]
    )
    width, height = left.size
    for heat, inside, outside in ((left, 0.2, 0.8), (right, 0.8, 0.2)):
        assert heat.getextrema() == (0, 255)
        assert heat.getpixel((int(outside * width), height // 2)) == 0
        assert heat.getpixel((int(inside * width), height // 2)) > 0


def test_a_subjects_map_lies_in_its_region(host, studio):
    model, attribution = watched(host, studio)
    studio.sample(model, (12, 12))
    maps, masks = maps_of(host, attribution, torch.rand(1, 96, 96, 3))
    assert maps.shape == (2, 96, 96, 3)
    assert masks.shape == (2, 96, 96)
    assert masks[0, :, :44].min() == 1
    assert masks[0, :, 52:].max() == 0
    assert masks[1, :, 52:].min() == 1
    seen = last(attribution).subject[0]
    assert seen[0, :, seen.shape[-1] // 2 :].max() == 0


def test_the_masks_of_a_run_can_be_fed_back_into_a_layout(host, studio):
    model, attribution = watched(host, studio)
    studio.sample(model, (12, 12))
    masks = maps_of(host, attribution, torch.rand(1, 96, 96, 3))[1]
    layout = studio.layout((), masks=masks)
    assert [round(edge, 1) for edge in layout.boxes[0].edges] == [0.0, 0.0, 0.5, 1.0]


def test_a_heavier_subject_acts_more(host, studio):
    shares = []
    for weight in (0.5, 1.5):
        model, attribution = watched(host, studio, studio.reweighted(studio.encode(), weight=weight))
        studio.sample(model, steps=1)
        shares.append(last(attribution).subject.mean().item())
    assert shares[1] > 2 * shares[0]


def test_auto_layouts_final_regions_are_shown(host, studio):
    request = host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt=PROMPT, threshold=0.5, start_step=1,
                        method="paper")[0]
    model, attribution = watched(host, studio, auto_layout=request)
    studio.sample(model, (12, 12))
    _, masks = maps_of(host, attribution, torch.rand(1, 96, 96, 3))
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    boxes = studio.layout((LEFT, RIGHT))
    assert not torch.equal(masks[0], boxes.regions[0].cells(96, 96).float())


def test_context_windows_give_every_image_the_maps_that_the_whole_batch_gives(host, studio):
    from tests.host.test_places import windowed

    model, attribution = watched(host, studio)
    studio.sample(model, batch=6, steps=3)
    studio.sample(windowed(host, model), batch=6, steps=3)
    whole, parts = attribution.runs
    for one, other in ((whole.text, parts.text), (whole.subject, parts.subject), (whole.regions, parts.regions)):
        assert torch.allclose(one, other, atol=1e-4)


def test_what_is_sampled_in_tiles_is_not_watched_and_that_is_said(host, studio, said):
    from tests.host.test_places import tiled

    model, attribution = watched(host, studio)
    studio.sample(tiled(model, [(0, 0), (0, 6)], 10, 2), (10, 16))
    assert last(attribution).subject is None
    assert len(said("Attribution watches whole frames only")) == 1


# Whose maps


@pytest.mark.parametrize("watch_last", [True, False])
def test_other_subjects_than_are_applied_are_refused(host, studio, watch_last):
    applied, others = studio.encode(), studio.encode((LEFT,), [studio.subject("hat", 4)])
    with pytest.raises(ValueError, match="given 'hat' but 'dog', 'red backpack' is applied"):
        if watch_last:
            watch(host, studio, studio.apply(applied), others)
        else:
            studio.apply(applied, watch(host, studio, studio.demo.model, others)[0])


def test_the_same_phrases_of_other_photos_are_refused_too(host, studio):
    applied, others = (studio.encode((LEFT,), [studio.subject("dog", seed)]) for seed in (1, 2))
    with pytest.raises(ValueError, match="two encodings of 'dog'"):
        watch(host, studio, studio.apply(applied), others)


def test_a_crop_of_the_watched_subjects_may_be_applied(host, studio):
    embeds = studio.encode()
    tile = host.call("MSDiffusionCropEmbeds", embeds=embeds, x=0, y=0, width=512, height=512, frame_width=1024,
                     frame_height=1024)[0]
    model, attribution = watch(host, studio, studio.apply(tile), embeds)
    studio.sample(model)
    assert last(attribution).subject is not None


def test_another_prompt_than_the_sampled_one_is_refused(host, studio):
    embeds = studio.encode()
    model, _ = watch(host, studio, studio.apply(embeds), embeds, "a cat and a dog and a red backpack")
    with pytest.raises(ValueError, match="Watch MS-Diffusion Attribution has 'dog' and 'red backpack' where none"):
        studio.sample(model)


# Which run


class Graph:
    """A workflow as the host hands it to a node: class, inputs, links."""

    def __init__(self, **nodes):
        self.nodes = nodes

    def get_node(self, name):
        kind, inputs = self.nodes[name]
        return {"class_type": kind, "inputs": inputs}


def two_passes(seed=1):
    """Two samplers on one watched model, the second going on from the first, each with its maps."""
    return Graph(
        watch=("MSDiffusionAttribution", {}),
        first=("KSampler", {"model": ["watch", 0], "seed": seed}),
        second=("KSampler", {"model": ["watch", 0], "seed": 5, "latent_image": ["first", 0]}),
        decode_first=("VAEDecode", {"samples": ["first", 0]}), decode_second=("VAEDecode", {"samples": ["second", 0]}),
        maps_first=("MSDiffusionAttributionMaps", {"images": ["decode_first", 0], "attribution": ["watch", 1]}),
        maps_second=("MSDiffusionAttributionMaps", {"images": ["decode_second", 0], "attribution": ["watch", 1]}),
    )


@pytest.fixture
def runs(host):
    """Runs without maps, kept as a host's execution would keep them."""
    from comfy_execution.utils import CurrentNodeContext, get_executing_context

    module = host.module("msd_core.attribution")
    attribution = module.Attribution(["dog"])

    def run(prompt, node, batch=1, index=None):
        with CurrentNodeContext(prompt, node, index):
            made = module.WatchedRun(None, None, None, batch, (8, 8), get_executing_context())
            attribution.keep(made)
        return made

    def found(prompt, node, graph, images=1, index=None):
        watched = host.module("nodes.host.watched")
        with CurrentNodeContext(prompt, node, index):
            return watched.run_of(attribution, images, watched.Place(graph, node) if graph else None)

    return SimpleNamespace(run=run, found=found)


def test_each_of_two_passes_has_the_maps_of_its_own_run(runs):
    first, second = runs.run("p", "first"), runs.run("p", "second")
    assert runs.found("p", "maps_first", two_passes()) is first
    assert runs.found("p", "maps_second", two_passes()) is second


def test_an_old_seed_that_the_host_has_kept_gets_its_own_run_and_not_a_newer_one(runs):
    old = runs.run("p1", "first")
    assert runs.found("p1", "maps_first", two_passes(seed=1)) is old
    new = runs.run("p2", "first")
    assert runs.found("p2", "maps_first", two_passes(seed=2)) is new
    assert runs.found("p3", "maps_first", two_passes(seed=1)) is old
    assert runs.found("p4", "maps_first", two_passes(seed=2)) is new


def test_a_seed_that_is_sampled_again_gets_its_latest_run(runs):
    runs.run("p1", "first")
    runs.found("p1", "maps_first", two_passes())
    again = runs.run("p2", "first")
    assert runs.found("p2", "maps_first", two_passes()) is again
    assert runs.found("p3", "maps_first", two_passes()) is again


def test_kept_results_of_several_runs_that_were_never_drawn_are_refused(runs):
    runs.run("p1", "first")
    runs.run("p2", "first")
    with pytest.raises(ValueError, match="2 of the 2 watched runs of node first made 1 images and nothing tells"):
        runs.found("p3", "maps_first", two_passes())


def test_a_node_that_samples_several_times_is_refused(runs):
    """A detailer samples each crop; its images are none of these runs'."""
    runs.run("p", "first")
    runs.run("p", "first")
    with pytest.raises(ValueError, match="2 of the 2 watched runs of node first"):
        runs.found("p", "maps_first", two_passes())


def test_two_equally_near_samplers_are_refused(runs):
    graph = two_passes()
    graph.nodes["join"] = ("ImageBatch", {"image1": ["decode_first", 0], "image2": ["decode_second", 0]})
    graph.nodes["maps"] = ("MSDiffusionAttributionMaps", {"images": ["join", 0]})
    runs.run("p", "first")
    runs.run("p", "second")
    with pytest.raises(ValueError, match=r"2 watched samplers \(nodes first, second\)"):
        runs.found("p", "maps", graph)


def test_a_sampler_that_runs_once_for_each_item_of_a_list_is_told_by_the_item(runs):
    made = [runs.run("p", "first", index=index) for index in range(3)]
    assert [runs.found("p", "maps_first", two_passes(), index=index) for index in range(3)] == made


def test_without_a_graph_the_only_run_that_fits_is_it(runs):
    one, two = runs.run("p", "a", batch=1), runs.run("p", "b", batch=2)
    assert runs.found("p", "maps", None, images=1) is one
    assert runs.found("p", "maps", None, images=2) is two
    runs.run("p", "c", batch=2)
    with pytest.raises(ValueError, match="2 of the 3 watched runs made 2 images"):
        runs.found("p", "maps", None, images=2)


def test_maps_of_another_number_of_images_are_refused(host, studio):
    model, attribution = watched(host, studio)
    studio.sample(model)
    with pytest.raises(ValueError, match="made 1 images but 3 are linked"):
        maps_of(host, attribution, torch.zeros(3, 80, 80, 3))


def test_maps_without_a_run_are_refused(host, studio):
    _, attribution = watched(host, studio)
    with pytest.raises(ValueError, match="0 runs were watched"):
        maps_of(host, attribution, torch.zeros(1, 80, 80, 3))


def test_an_interrupted_run_leaves_no_maps(host, studio):
    import comfy.model_management

    model, attribution = watched(host, studio)
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        studio.sample(model)
    assert attribution.runs == []
