"""What other tools ask of a layer that only ``torch.nn.GRU`` can give them: refused by name, with what to do.

Each of these tools sets a mark on a module before it works on it. Here the mark is refused, before the tool fails in
words of its own or passes the layer by in silence. Unset, the marks are absent, as on any module.

Sources: ``torch/jit/_recursive.py``; ``torch/ao/quantization/quantize.py``; ``opacus/grad_sample/functorch.py``,
opacus#205.
"""

import warnings
from typing import NoReturn

_CONVERT = "gru.convert.to_torch gives one, where the reset comes after the product"
NO_OPERATOR = (
    "torch.jit.trace or torch.onnx.export(dynamo=False): expected reset_after=True, for which torch has an operator, "
    "got gru.GRU(reset_after=False); export it with torch.onnx.export(dynamo=True) or torch.export.export"
)


class NotScriptable:
    """A module that torch.jit.script cannot read."""

    # torch.jit.script calls this.
    def __prepare_scriptable__(self) -> NoReturn:
        raise NotImplementedError(
            f"torch.jit.script: expected a torch.nn.GRU or GRUCell, got gru.{type(self).__name__}; {_CONVERT}"
        )


class NotTorchs(NotScriptable):
    """A layer that is like torch's own and is not it."""

    # torch.ao.quantization sets this, to None on what it passes by.
    @property
    def qconfig(self) -> NoReturn:
        raise AttributeError("qconfig")

    @qconfig.setter
    def qconfig(self, value: object) -> None:
        if value is not None:
            raise NotImplementedError(f"quantisation: expected a torch.nn.GRU, got {self!r}; {_CONVERT}")
        warnings.warn(f"quantisation leaves {self!r} as it is; {_CONVERT}", stacklevel=2)

    # Opacus sets this, and multiplies the output, which here is a tuple.
    @property
    def ft_compute_sample_grad(self) -> NoReturn:
        raise AttributeError("ft_compute_sample_grad")

    @ft_compute_sample_grad.setter
    def ft_compute_sample_grad(self, value: object) -> NoReturn:
        raise NotImplementedError(
            f"Opacus: expected a layer whose output is one tensor, got {self!r}; opacus.layers.DPGRU takes its "
            "state dict where the reset comes after the product; torch.func has per-sample gradients of both variants"
        )
