"""What the templates for SDXL and the released files show; each says which files it needs and where they are had."""

from .examples import LOWER_LEFT, Example, ExampleSubject, Photo
from .files import ADAPTER, BACKGROUND_REMOVAL, CHECKPOINT, CONTROL_NET, IMAGE_ENCODER, LIGHTNING
from .graphs import ModelFile

CAT, CUP = Photo("cat.jpg", "cat"), Photo("cup.jpg", "cup of coffee")
CAT_LEFT = ExampleSubject(CAT, (0.05, 0.25, 0.55, 0.95))
CUP_RIGHT = ExampleSubject(CUP, (0.6, 0.5, 0.95, 0.95))
MIDDLE_HALF = (0.25, 0.25, 0.75, 0.75)
"""Where the paper's benchmark puts a person and what the person wears."""

FILES = """## Files

{files}

ComfyUI offers what is missing itself, the adapter only as a link. Press R when the files are there."""

PHOTOS = """## Photos

**{photos}** in the pack's folder **example_workflows/photos**: drop them on *Load Image*, or photos of your own. Then write your words as each **phrase** and in the prompt."""  # noqa: E501

BYPASSED = f"""## Cut-outs

What surrounds a subject leaks into the image. The nodes that cut it out are bypassed, because they need [{BACKGROUND_REMOVAL.name}]({BACKGROUND_REMOVAL.url}) in **models/{BACKGROUND_REMOVAL.directory}**. With it, select them and press Ctrl+B."""  # noqa: E501


def real_example(
    title: str, name: str, intro: str, words: str, subjects: tuple[ExampleSubject, ...], *files: ModelFile, **rest
) -> Example:  # fmt: skip
    """A template for the released files: its note says what it does, which files and photos it takes, and how."""
    needed = [CHECKPOINT, IMAGE_ENCODER, ADAPTER, *files, *([BACKGROUND_REMOVAL] if rest.get("cut_outs") else [])]
    photos = "**, **".join(dict.fromkeys(subject.source.file for subject in subjects))
    parts = [intro, FILES.format(files="\n".join(map(_file, needed))), PHOTOS.format(photos=photos)]
    parts += [] if rest.get("cut_outs") else [BYPASSED]
    return Example(title, name, "\n\n".join(parts), "", subjects, words=words, real=True, **rest)


def _file(file: ModelFile) -> str:
    saved = file.url.rsplit("/", 1)[1]
    renamed = f", saved as **{saved}**: rename it" if saved != file.name else ""
    other = "; any checkpoint of SDXL's shape does" if file is CHECKPOINT else ""
    return f"- [{file.name}]({file.url}) into **models/{file.directory}**{renamed}{other}"


TWO_PHOTOS_SDXL = real_example(
    "MS-Diffusion SDXL 01 Two photos", "two_photos_sdxl",
    "Two photos, a box for each, one image: SDXL and the released adapter, with the paper's settings.",
    "a cat and a cup of coffee by a brick wall", (CAT_LEFT, CUP_RIGHT),
)  # fmt: skip

REAL_EXAMPLES = (
    TWO_PHOTOS_SDXL,
    real_example(
        "MS-Diffusion SDXL 02 One subject", "one_subject_sdxl",
        "One photo, one box: the cat of the photo where the box is.",
        "a cat on a beach at sunset", (ExampleSubject(CAT, (0.2, 0.2, 0.8, 0.9)),),
    ),
    real_example(
        "MS-Diffusion SDXL 03 ControlNet", "controlnet_sdxl",
        "*MS-Diffusion Collage* pastes the cut-outs into their boxes, *Canny* finds their lines, and a ControlNet "
        "keeps to them: poses and outlines of the photos, in the places of the boxes. **strength** and **end_percent** "
        "of *Apply ControlNet* say how strictly. For a sketch of your own, link it in the place of *Canny*.",
        "a cat and a cup of coffee by a brick wall", (CAT_LEFT, CUP_RIGHT), CONTROL_NET, kind="control", cut_outs=True,
    ),
    real_example(
        "MS-Diffusion SDXL 04 Scene as subject", "scene_sdxl",
        "A photo of a place is a subject too: its box is the whole frame, it stands behind (**overlap** is **front**), "
        "and **scale** is 0.4, because a subject that fills the frame soon takes all of it. Here the photo of the cup "
        "is the place, a wooden table. Its photo is not cut out.",
        "a cat sitting on a wooden table",
        (
            ExampleSubject(Photo("cup.jpg", "wooden table"), (0.0, 0.0, 1.0, 1.0), whole=True),
            ExampleSubject(CAT, (0.3, 0.1, 0.8, 0.8)),
        ),
        scale=0.4, overlap="front",
    ),
    real_example(
        "MS-Diffusion SDXL 05 Hires fix", "hires_fix_sdxl",
        "A first pass places the subjects at 1024, the latent grows by half, and a second pass adds detail at 1536. "
        "Both samplers take the same patched model: boxes are fractions and fit every size.",
        "a cat and a cup of coffee by a brick wall", (CAT_LEFT, CUP_RIGHT), kind="hires",
    ),
    real_example(
        "MS-Diffusion SDXL 06 Lightning LoRA", "lightning_sdxl",
        "Eight steps instead of thirty. The LoRA sits before *Apply MS-Diffusion*, as LoRAs of any kind do, and the "
        "sampler takes what Lightning was trained for: 8 steps, cfg 1, **sgm_uniform**. With cfg 1 the negative prompt "
        "is not used.",
        "a cat and a cup of coffee by a brick wall", (CAT_LEFT, CUP_RIGHT), LIGHTNING, kind="lightning",
    ),
    real_example(
        "MS-Diffusion SDXL 07 Person and clothes", "person_and_clothes_sdxl",
        "Who wears and what is worn have the same box, as in the paper's benchmark, and mix there. The pack has no "
        "photo of a person, so a cat and a cup stand in. Put a person and a piece of clothing in their places, write "
        "**woman** and **red jacket** as phrases and **a woman wearing a red jacket** as the prompt. A hat gets the "
        "upper quarter of the frame, trousers the lower part.",
        "a cat with a cup of coffee",
        (ExampleSubject(CAT, MIDDLE_HALF), ExampleSubject(CUP, MIDDLE_HALF)),
    ),
    real_example(
        "MS-Diffusion SDXL 08 Regional prompts", "regional_prompts_sdxl",
        "A prompt for each subject besides the one for the whole: the layout's **masks** bound them, one mask per box. "
        "*Get Image from Batch* takes the k-th mask for the k-th subject, *Conditioning Set Mask* binds its prompt to "
        "it, *Conditioning Combine* puts all together. Every prompt names its subject. Each costs a further row of the "
        "model in every step.",
        "a cat and a cup of coffee by a brick wall", (CAT_LEFT, CUP_RIGHT), kind="regional",
    ),
    real_example(
        "MS-Diffusion SDXL 09 Img2img from a collage", "collage_sdxl",
        "*MS-Diffusion Collage* pastes the cut-outs into their boxes, and the sampler starts from that instead of from "
        "nothing, so that the layout holds. **denoise** says how much is made new. Link a photo of the place as the "
        "collage's **background**.",
        "a cat and a cup of coffee by a brick wall", (ExampleSubject(CAT, LOWER_LEFT), CUP_RIGHT), kind="collage",
        cut_outs=True,
    ),
)  # fmt: skip
"""In the order of their numbers."""
