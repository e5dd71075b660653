"""Nodes that show what a sampler does not hand out."""

import dataclasses

import comfy.patcher_extension
import torch

RECORDED = {}


class StandInRecorder:
    """A model whose runs are recorded: every prediction that is made for one side's conditioning, as it is made."""

    INPUT_TYPES = classmethod(
        lambda cls: {"required": {"model": ("MODEL",), "name": ("STRING", {}), "side": (["negative", "positive"],)}}
    )
    RETURN_TYPES = ("MODEL",)
    FUNCTION = "record"
    CATEGORY = "stand-ins"

    def record(self, model, name, side):
        model = model.clone()

        def run(executor, *args, **kwargs):
            RECORDED[name] = []
            ids[:] = [entry["uuid"] for entry in executor.class_obj.conds[side]]
            return executor(*args, **kwargs)

        def evaluation(executor, inner, conditionings, *args):
            predictions = executor(inner, conditionings, *args)
            for conditioning, prediction in zip(conditionings, predictions, strict=True):
                if conditioning and {entry.get("uuid") for entry in conditioning} <= set(ids):
                    RECORDED[name].append(prediction.clone())
            return predictions

        ids = []
        moments = comfy.patcher_extension.WrappersMP
        for moment, wrapper in ((moments.OUTER_SAMPLE, run), (moments.CALC_COND_BATCH, evaluation)):
            comfy.patcher_extension.add_wrapper_with_key(
                moment, "stand-ins", wrapper, model.model_options, is_model_options=True
            )
        return (model,)


class StandInRecorded:
    """What was recorded of a run: one prediction, counted from 0, or all of them as a batch of latents."""

    INPUT_TYPES = classmethod(
        lambda cls: {"required": {"samples": ("LATENT",), "name": ("STRING", {}), "number": ("INT", {"default": -1})}}
    )
    RETURN_TYPES = ("LATENT",)
    FUNCTION = "show"
    CATEGORY = "stand-ins"

    def show(self, samples, name, number):
        recorded = RECORDED[name]
        return ({"samples": torch.cat(recorded) if number < 0 else recorded[number]},)


class Said:
    """An adapter that says whenever it makes keys and values."""

    def __init__(self, adapter):
        self._adapter = adapter

    def __getattr__(self, name):
        return getattr(self._adapter, name)

    def __deepcopy__(self, memo):
        print("stand-ins: the adapter is copied", flush=True)
        return self

    def project(self, *args, **kwargs):
        print("stand-ins: keys and values are made", flush=True)
        return self._adapter.project(*args, **kwargs)


class StandInSaidProjections:
    """The same subjects, with an adapter that says what is done with it."""

    INPUT_TYPES = classmethod(lambda cls: {"required": {"embeds": ("MSD_EMBEDS",)}})
    RETURN_TYPES = ("MSD_EMBEDS",)
    FUNCTION = "say"
    CATEGORY = "stand-ins"
    # What an adapter has made is kept with it, so each run has one that has made nothing.
    IS_CHANGED = classmethod(lambda cls, **_: float("nan"))

    def say(self, embeds):
        return (dataclasses.replace(embeds, adapter=Said(embeds.adapter)),)
