"""The glue between `msd_core` and ComfyUI: the only place that touches the host's internals."""
