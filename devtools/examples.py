"""What the example workflows show: their subjects, prompts and notes."""

import re
from dataclasses import dataclass
from typing import Literal

from msd_core.demo.world import caption

Kind = Literal[
    "plain", "control", "hires", "auto layout", "regions", "views", "blend", "attribution", "tiles", "collage",
    "scores", "lightning", "regional",
]  # fmt: skip

FRAMES = 4
SEEDS = 3


@dataclass(frozen=True)
class Drawing:
    """A subject's picture that *MS-Diffusion Demo Subject* draws; its phrase is the kind's name."""

    kind: str
    seed: int

    @property
    def phrase(self) -> str:
        return self.kind


@dataclass(frozen=True)
class Photo:
    """A subject's picture from a file in `example_workflows/photos`."""

    file: str
    phrase: str


@dataclass(frozen=True)
class ExampleSubject:
    """A subject of an example.

    Attributes:
        source: where its picture comes from.
        box: x0, y0, x1, y1 in fractions of the frame.
        mirrored: whether its picture's mirror image is its second view.
        whole: whether its photo is never cut out.
        settings: values of further inputs of its node.
    """

    source: Drawing | Photo
    box: tuple[float, float, float, float]
    mirrored: bool = False
    whole: bool = False
    settings: tuple[tuple[str, float], ...] = ()

    @property
    def phrase(self) -> str:
        return self.source.phrase


@dataclass(frozen=True)
class Example:
    """One example workflow.

    Attributes:
        title: file name of the graph for the frontend, without its ending; empty where it only goes to the server. It
            begins with the pack's name, because the frontend looks templates of all packs up by name alone.
        name: file name of its twin for the server, without its endings.
        intro: first words of the note; all of it where the graph runs on the released files.
        scene: where the prompt puts the subjects, a scene of the demo models' world.
        kind: what it has beside subjects, layout and prompt.
        seed: the sampler's.
        with_files: title of the template that is the same graph on the released files; empty where there is none.
        for_real: without such a template, what to set for real images besides what the note always says.
        real: whether it runs on SDXL and the released files, with photos.
        words: the prompt, where it is not made of scene and subjects.
        scale: of the adapter, the paper's where the example says none.
        overlap: of the layout.
        cut_outs: whether photos are cut out from the start; else the nodes that do it are bypassed.
    """

    title: str
    name: str
    intro: str
    scene: str
    subjects: tuple[ExampleSubject, ...]
    kind: Kind = "plain"
    seed: int = 1
    with_files: str = ""
    for_real: tuple[str, ...] = ()
    real: bool = False
    words: str = ""
    scale: float = 0.6
    overlap: str = "mix"
    cut_outs: bool = False

    @property
    def heading(self) -> str:
        """The title without what it shares with others: the pack's name, the kind of template and the number."""
        return re.split(r" \d\d ", self.title.removeprefix("MS-Diffusion "))[-1]

    @property
    def prompt(self) -> str:
        """Its words, or scene and subjects as the demo models know them; a phrase that subjects share comes once."""
        return self.words or caption(self.scene, list(dict.fromkeys(subject.phrase for subject in self.subjects)))


LOWER_LEFT, UPPER_RIGHT = (0.0, 0.45, 0.5, 0.95), (0.5, 0.1, 1.0, 0.6)
UPPER_LEFT, LOWER_RIGHT = (0.0, 0.1, 0.5, 0.6), (0.5, 0.45, 1.0, 0.95)
MIDDLE = (0.2, 0.2, 0.8, 0.8)
CAT = ExampleSubject(Drawing("cat", 8), LOWER_LEFT)
ROBOT = ExampleSubject(Drawing("robot", 6), UPPER_RIGHT)

EXAMPLES_IN_ORDER = (
    Example(
        "MS-Diffusion Try it now (no downloads)", "try_it_now",
        "Two drawn subjects, a box for each, one image. Press *Run*. Then change one thing and run again:\n\n"
        "- drag the boxes, or exchange them\n"
        "- another **kind** or **seed** of a *Demo Subject*, and its name in the prompt\n"
        "- the place in the prompt: on the grass, on the beach, at night, in the snow, by a brick wall, in the sea\n"
        "- **scale** 0 in *Apply MS-Diffusion*: what the model makes of the prompt alone",
        "night",
        (ExampleSubject(Drawing("cat", 16), LOWER_LEFT), ExampleSubject(Drawing("mug", 12), UPPER_RIGHT)),
        with_files="MS-Diffusion SDXL 01 Two photos",
    ),
    Example(
        "MS-Diffusion Try it now 01 One subject", "one_subject",
        "One picture, one box: the cat of the picture appears where the box is.",
        "beach", (ExampleSubject(Drawing("cat", 7), MIDDLE),), with_files="MS-Diffusion SDXL 02 One subject",
    ),
    Example(
        "MS-Diffusion Try it now 02 Two subjects", "two_subjects",
        "Two pictures, two boxes, one image. The first subject takes the first box, the second subject the second.",
        "grass", (CAT, ROBOT), with_files="MS-Diffusion SDXL 01 Two photos",
    ),
    Example(
        "MS-Diffusion Try it now 03 Two subjects with ControlNet", "two_subjects_controlnet",
        "*MS-Diffusion Collage* pastes the drawings into their boxes, *Canny* finds their lines, and a ControlNet "
        "makes the image follow them: each subject faces the way its drawing does and leans as it leans. Move a box, "
        "and the sketch moves with it.\n\n"
        "Bypass *Apply ControlNet* (Ctrl+B) and run again: the looks stay, but each subject stands upright and faces "
        "the middle, as the model is used to. For a sketch of your own, put *Load Image* in the place of *Canny*: "
        "white lines on black.",
        "sea",
        (ExampleSubject(Drawing("fish", 47), LOWER_LEFT), ExampleSubject(Drawing("rocket", 1), UPPER_RIGHT)), "control",
        with_files="MS-Diffusion SDXL 03 ControlNet",
    ),
    Example(
        "MS-Diffusion Try it now 04 Hires fix", "hires_fix",
        "A first pass places the subjects, the latent grows by half, and a second pass adds detail. Both samplers "
        "take the same patched model: boxes are fractions of the image, so they fit every size.",
        "snow",
        (ExampleSubject(Drawing("car", 3), LOWER_LEFT), ExampleSubject(Drawing("house", 23), UPPER_RIGHT)),
        "hires", with_files="MS-Diffusion SDXL 05 Hires fix",
    ),
    Example(
        "MS-Diffusion Try it now 05 Auto layout", "auto_layout",
        "The boxes are only rough, and they overlap. They rule the first fifth of the noise schedule; then **car** and "
        "**rocket** move, in their boxes' sizes, to where the prompt's own attention sees them, apart from one "
        "another.\n\n"
        "The prompt is written once, in *Prompt text*, and goes to the text encoder and to *MS-Diffusion Auto Layout*. "
        "Each subject's phrase must stand in it.",
        "night",
        (
            ExampleSubject(Drawing("car", 3), (0.1, 0.3, 0.6, 0.8)),
            ExampleSubject(Drawing("rocket", 17), (0.4, 0.1, 0.9, 0.6)),
        ),
        "auto layout", seed=5,
    ),
    Example(
        "MS-Diffusion Try it now 06 Free-form regions", "free_form_regions",
        "Regions of any shape instead of boxes. Here each subject's region is the outline of its own drawing: "
        "*MaskComposite* lays the drawing's mask onto an empty mask, *Batch Masks* puts the regions in the subjects' "
        "order, *Grow Mask* leaves some room around them, and the layout's **masks** input replaces the drawn boxes."
        "\n\n"
        "Masks from anywhere do: painted in the mask editor, from the colours of a painting, or from a segmentation "
        "node.",
        "sea",
        (ExampleSubject(Drawing("fish", 20), UPPER_LEFT), ExampleSubject(Drawing("robot", 13), LOWER_RIGHT)), "regions",
        seed=7,
    ),
    Example(
        "MS-Diffusion Try it now 07 Views, weights and schedules", "views_weights_schedules",
        "Three ways to say how a subject acts:\n\n"
        "- **Several views.** The cat's picture and its mirror image go through *Batch Images* into one subject. Their "
        "tokens stand side by side. With photos, take them from different sides.\n"
        "- **Weight, start and end of each subject.** The cat has weight 1.2. The mug acts from 10 % to 80 % of the "
        "run, so that the prompt shapes its details.\n"
        "- **Weights of the UNet's parts** in *Apply MS-Diffusion*: less in the down blocks, more in the up blocks, "
        "which paint the looks.",
        "brick",
        (
            ExampleSubject(Drawing("cat", 10), LOWER_LEFT, mirrored=True, settings=(("weight", 1.2),)),
            ExampleSubject(
                Drawing("mug", 4), UPPER_RIGHT, settings=(("start_percent", 0.1), ("end_percent", 0.8))
            ),
        ),
        "views",
    ),
    Example(
        "MS-Diffusion Try it now 08 Blend in a batch", "blend_batch",
        f"{FRAMES} images in one batch, from one robot to the other: image 1 is the first subject alone, image "
        f"{FRAMES} the second, and those between are blends. *Frames* sets the number for the blend and for the latent "
        "batch, which must be the same.\n\n"
        "Both subjects share one layout and weight. With **frames** 1, **amount** makes a single blend.",
        "snow",
        (ExampleSubject(Drawing("robot", 13), MIDDLE), ExampleSubject(Drawing("robot", 7), MIDDLE)), "blend",
    ),
    Example(
        "MS-Diffusion Try it now 09 Attribution maps", "attribution_maps",
        "What each subject did. *Watch MS-Diffusion Attribution* sits between *Apply MS-Diffusion* and the sampler and "
        "changes nothing of the image. Two nodes draw what it saw:\n\n"
        "- **subject:** where each subject's tokens act, and how much compared with the text\n"
        "- **text:** where the prompt attends to the subject's phrase\n\n"
        "The masks are the regions. They fit the **masks** input of *MS-Diffusion Layout*.",
        "grass", (CAT, ROBOT), "attribution",
    ),
    Example(
        "MS-Diffusion Try it now 10 Tiles", "tiles",
        "The first result is enlarged to one and a half times its size and sampled again in two tiles that overlap. "
        "*Crop MS-Diffusion Embeds* gives each tile its part of the layout: the left tile has the rocket and a piece "
        "of the house, the right tile the house and a piece of the rocket. *Latent Composite* puts the tiles back with "
        "soft seams.\n\n"
        "Three numbers set the tiles, all in pixels of the enlarged image: its side, the tiles' width, and the right "
        "tile's left edge.\n\n"
        "The demo models know drawings of one size: the tiles have cfg 1 and little **denoise**, or small rockets "
        "would come into the large one.",
        "beach",
        (ExampleSubject(Drawing("rocket", 22), UPPER_LEFT), ExampleSubject(Drawing("house", 23), LOWER_RIGHT)), "tiles",
        for_real=("the tiles: *Enlarged side* 1536, *Tile width* 928, *Right tile's left edge* 608, cfg 7.5",),
    ),
    Example(
        "MS-Diffusion Try it now 11 Img2img from a collage", "collage",
        "*MS-Diffusion Collage* pastes the subjects' cut-outs into their boxes. The collage is encoded, and the "
        "sampler starts from it instead of from nothing: **denoise** says how much of it is made new.\n\n"
        "Each subject's **mask** cuts it out. Drag the boxes, and the collage follows.",
        "beach",
        (ExampleSubject(Drawing("cat", 9), LOWER_LEFT), ExampleSubject(Drawing("car", 4), UPPER_RIGHT)), "collage",
        with_files="MS-Diffusion SDXL 09 Img2img from a collage",
    ),
    Example(
        "MS-Diffusion Try it now 12 Scores", "scores",
        f"{SEEDS} images of one batch, measured beside each other: how near each comes to its subjects' pictures and "
        "to the prompt, and each subject in its own region. The picture under *MS-Diffusion Score* has a bar for each "
        "figure, *Preview as Text* the report.\n\n"
        "M-DINO is the product over the subjects: the image in which one is missing falls behind. Take the best, or "
        "set **scale** in *Apply MS-Diffusion* to 0 and see what is lost.\n\n"
        "**demo judge** knows drawn sprites only.",
        "beach",
        (ExampleSubject(Drawing("cat", 16), LOWER_LEFT), ExampleSubject(Drawing("rocket", 22), UPPER_RIGHT)), "scores",
        for_real=("*MS-Diffusion Score*: your files of CLIP ViT-B/32 and DINO ViT-S/16 for **clip** and **dino**",),
    ),
)  # fmt: skip

TWO_PHOTOS = Example(
    "", "two_photos", "", "brick",
    (ExampleSubject(Photo("cat.jpg", "cat"), LOWER_LEFT), ExampleSubject(Photo("cup.jpg", "mug"), UPPER_RIGHT)),
)  # fmt: skip
"""Two subjects from two real photos, which the demo's tiny set has never seen."""

NOTE = """# {title}

{intro}

## On drawings

This graph needs no files: *MS-Diffusion Demo Models* is a tiny set that comes with the pack, and *MS-Diffusion Demo Subject* draws the subjects. It shows that a graph works, not what SDXL can paint.

## On your photos

{photos}
"""  # noqa: E501

WITH_FILES = "The template **{title}** is this graph on SDXL, with links to its files."

BY_HAND = """Take the loaders and *Load Image* from the template **MS-Diffusion SDXL 01 Two photos**, which links to their files, in the place of the demo's two nodes. Write each **phrase** yourself, and the same words in the prompt. Then set

{settings}"""  # noqa: E501

REAL_SETTINGS = (
    "*MS-Diffusion Layout*: width and height 1024",
    "*Apply MS-Diffusion*: scale 0.6",
    "*KSampler*: 30 steps, cfg 7.5, scheduler normal",
)


def note(example: Example) -> str:
    """The text of the note beside an example's graph. Nodes 2.0 draws code there blue on blue: it has none."""
    if example.real:
        return f"# {example.heading}\n\n{example.intro}\n"
    settings = "\n".join(f"- {setting}" for setting in (*REAL_SETTINGS, *example.for_real))
    photos = WITH_FILES.format(title=example.with_files) if example.with_files else BY_HAND.format(settings=settings)
    return NOTE.format(title=example.heading, intro=example.intro, photos=photos)
