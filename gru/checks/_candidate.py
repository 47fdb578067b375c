"""Building a candidate, finding its parameters, giving it the reference's weights, calling it without side effects.

A candidate's parameters are found by name, in the module itself or in exactly one module inside it:

    reset_after     input_reset, hidden_reset, input_update, hidden_update, input_candidate, hidden_candidate
                    (six Linear, as gru.ResetAfterCell), or weight_ih, weight_hh, bias_ih, bias_hh (as
                    torch.nn.GRUCell; with _l0 as torch.nn.GRU)
    reset_before    reset_gate, update_gate, hidden_transform (three Linear, as gru.ResetBeforeCell; z writes), or
                    weight_ih_l0, ... (as gru.GRU(reset_after=False); z keeps)
"""

import inspect
import io
import linecache
import random
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gru.cells import ResetAfterCell, ResetBeforeCell
from gru.checks._report import Halt
from gru.checks._steps import Part, Parts


class Sizes(NamedTuple):
    """The sizes of one trial: of the batch, of the input, of the state, and the number of steps."""

    B: int
    D: int
    H: int
    T: int

    def __str__(self) -> str:
        return f"(The check uses B = {self.B}, D = {self.D}, H = {self.H}.)"


FIRST = Sizes(4, 3, 5, 6)  # all different, so that a wrong axis is a wrong shape
B, D, H, T = FIRST
SIZES = str(FIRST)
# Of the first six, each changes one size, so that a failure names it. Then: all ones, a square, and larger ones.
OTHER_SIZES = (
    FIRST._replace(B=1),
    FIRST._replace(B=7),
    FIRST._replace(D=8),
    FIRST._replace(H=2),
    FIRST._replace(T=1),
    FIRST._replace(T=13),
    Sizes(3, 1, 1, 2),
    Sizes(4, 4, 4, 4),
    Sizes(2, 33, 17, 24),
)
LARGE = Sizes(65, 40, 65, 40)


class Range(NamedTuple):
    """How large the numbers of one trial are, as multiples of the usual ones."""

    words: str
    x: float = 1.0
    h: float = 1.0
    weights: float = 1.0


USUAL = Range("the usual numbers")
CALM = Range("small weights", weights=0.1)  # or many units for many steps would blow rounding up to a difference
# Weights that shrink as inputs and states grow leave the gates half open, so that both are seen.
OTHER_RANGES = (
    Range("a state of zeros", h=0.0),
    Range("inputs and states ten times as large", x=10.0, h=10.0),
    Range("inputs and states a thousand times as large", x=1e3, h=1e3, weights=1e-3),
)
VARIANTS = ("reset_after", "reset_before")
KEEPS, WRITES = "h' = (1 - z) * n + z * h", "h' = (1 - z) * h + z * n"


@dataclass(frozen=True)
class Layout:
    """How parameters are named and shaped, and the equations as a class with these names writes them."""

    shapes: dict[str, tuple[int, ...]]
    variant: str
    z_writes: bool
    equations: tuple[str, str, str, str]  # of r, z, n and h'
    arrange: Callable[[dict[str, Tensor]], list[Part]]  # parameters by name -> the parts of r, z and n

    def parts(self, tensors: dict[str, Tensor]) -> Parts:
        return Parts(*self.arrange(tensors), self.variant == "reset_after", self.z_writes)


def _linears(cell_class: type[ResetAfterCell | ResetBeforeCell], variant: str, sizes: Sizes) -> Layout:
    """That of one of the package's cells."""
    cell = cell_class(sizes.D, sizes.H, device="meta")
    names = {linear: name for name, linear in cell.named_children()}
    gates = {gate: [names[linear] for linear in linears] for gate, linears in cell.linears().items()}

    def arrange(p: dict[str, Tensor]) -> list[Part]:
        parts = []
        for linears in gates.values():
            matrices, biases = ([p[f"{name}.{kind}"] for name in linears] for kind in ("weight", "bias"))
            if len(linears) == 1:
                matrices, biases = matrices[0].split((sizes.D, sizes.H), 1), [*biases, None]
            parts.append(Part(*matrices, *biases))
        return parts

    shapes = {name: tuple(parameter.shape) for name, parameter in cell.named_parameters()}
    return Layout(shapes, variant, not cell.z_keeps, _equations(gates, cell.z_keeps), arrange)


def _equations(gates: dict[str, list[str]], z_keeps: bool) -> tuple[str, str, str, str]:
    """The equations in the words of a cell whose gates have linear layers of these names."""
    if len(gates["n"]) == 1:  # which resets the state before it is read
        r, z = (f"{gate} = sigmoid({gates[gate][0]}([x, h]))" for gate in "rz")
        n = f"n = tanh({gates['n'][0]}([x, r * h]))"
    else:
        r, z = (f"{gate} = sigmoid({from_x}(x) + {from_h}(h))" for gate, (from_x, from_h) in list(gates.items())[:2])
        n = "n = tanh({}(x) + r * {}(h))".format(*gates["n"])
    return r, z, n, KEEPS if z_keeps else WRITES


def _flat(variant: str, suffix: str, sizes: Sizes) -> Layout:
    """That of torch.nn.GRUCell, or of the first layer of torch.nn.GRU."""
    names = [f"{kind}{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    rows = 3 * sizes.H
    shapes = dict(zip(names, [(rows, sizes.D), (rows, sizes.H), (rows,), (rows,)], strict=True))

    def arrange(p: dict[str, Tensor]) -> list[Part]:
        return [Part(*blocks) for blocks in zip(*(p[name].chunk(3) for name in names), strict=True)]

    inside = "r * (W_hn h + b_hn)" if variant == "reset_after" else "W_hn (r * h) + b_hn"
    equations = (
        "r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)",
        "z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)",
        f"n = tanh(W_in x + b_in + {inside})",
        KEEPS,
    )
    return Layout(shapes, variant, False, equations, arrange)


@cache
def layouts(variant: str, sizes: Sizes = FIRST) -> tuple[Layout, ...]:
    """All of a variant; the first is the one that a message speaks of where none fits."""
    cell_class = ResetAfterCell if variant == "reset_after" else ResetBeforeCell
    return _linears(cell_class, variant, sizes), *(_flat(variant, suffix, sizes) for suffix in ("", "_l0"))


@dataclass
class Candidate:
    """One instance of the candidate's class, with the weights of the reference in it."""

    module: nn.Module
    layout: Layout
    parameters: dict[str, Tensor]  # by the layout's names
    sizes: Sizes = FIRST

    def call(self, *args: Any, when: str = "", **kwargs: Any) -> Any:
        """What forward returns.

        Raises:
            Halt: forward raised; the finding says what and where.
        """
        try:
            with same_mode():
                return self.module(*args, **kwargs)
        except Exception as error:
            raise Halt(
                "raises", " ".join(filter(None, (when, told(error, type(self.module)), str(self.sizes))))
            ) from None

    def leaves(self) -> dict[str, Tensor]:
        """Copies of the parameters, whose gradients do not touch the candidate's own."""
        return {name: p.detach().clone().requires_grad_() for name, p in self.parameters.items()}

    def parts(self) -> Parts:
        """The candidate's weights for the reference's step."""
        return self.layout.parts({name: p.detach() for name, p in self.parameters.items()})


def build(
    candidate: type, variant: str, values: Callable[[tuple[int, ...]], Tensor], sizes: Sizes = FIRST
) -> Candidate:
    """A new instance of the candidate's class, in float64, with weights from ``values``.

    Raises:
        Halt: it cannot be built, or its parameters are not those of a reference.
    """
    try:
        with same_mode():
            module = candidate(sizes.D, sizes.H)
    except Exception as error:
        hint = "Call super().__init__() first." if "before Module.__init__() call" in str(error) else ""
        raise Halt("constructor_raises", f"{told(error, candidate)} {hint}".strip()) from None
    if not isinstance(module, nn.Module):
        raise Halt("not_a_module")
    module = module.to(device="cpu", dtype=torch.float64)
    layout, parameters = _find(module, variant, sizes)
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.copy_(values(tuple(parameter.shape)))
    return Candidate(module, layout, parameters, sizes)


def extra_names(candidate: Candidate) -> list[str]:
    """Parameters and buffers that the reference does not have, in the order of the state dict."""
    known = {id(p) for p in candidate.parameters.values()}
    everything = [*candidate.module.named_parameters(), *candidate.module.named_buffers()]
    return [name for name, tensor in everything if id(tensor) not in known]


def _find(module: nn.Module, variant: str, sizes: Sizes) -> tuple[Layout, dict[str, Tensor]]:
    """The one place in a module whose parameters bear a layout's names.

    Raises:
        Halt: there is none or more than one, or shapes do not fit; every name and shape is given.
    """
    places = []
    for prefix, part in module.named_modules():
        own = _parameters_of(part)
        places += [(prefix, layout, own) for layout in layouts(variant, sizes) if layout.shapes.keys() <= own.keys()]
    if not places:
        raise _names_do_not_fit(module, variant)
    if len(places) > 1:
        where = " and ".join(f"self.{prefix}" if prefix else "the module itself" for prefix, *_ in places)
        raise Halt("several_recurrences", f"Found: {where}.")
    prefix, layout, own = places[0]
    parameters = {name: own[name] for name in layout.shapes}
    dot = f"{prefix}." if prefix else ""
    wrong = [
        f"{dot}{name}: expected shape {shape}, got {tuple(parameters[name].shape)}."
        for name, shape in layout.shapes.items()
        if tuple(parameters[name].shape) != shape
    ]
    if wrong:
        raise Halt("wrong_parameter_shape", " ".join([*wrong, str(sizes)]))
    twice = [
        name for i, (name, p) in enumerate(parameters.items()) if any(p is q for q in list(parameters.values())[:i])
    ]
    if twice:
        raise Halt("shared_parameters", f"Seen before under another name: {', '.join(dot + name for name in twice)}.")
    return layout, parameters


def _parameters_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters by name, those of a lazy layer left out: they are not there before its first call."""
    named = module.named_parameters(remove_duplicate=False)
    return {name: parameter for name, parameter in named if not nn.parameter.is_lazy(parameter)}


def _names_do_not_fit(module: nn.Module, variant: str) -> Halt:
    """What is missing and what is there instead, measured at the place and the layout that come closest."""
    other = VARIANTS[variant == "reset_after"]
    hint = ""
    if any(layouts(other)[0].shapes.keys() <= _parameters_of(part).keys() for part in module.modules()):
        hint = f' These are the names of the other variant: check it with variant="{other}".'
    every = [(prefix, part, layout) for prefix, part in module.named_modules() for layout in layouts(variant)]
    prefix, part, layout = max(every, key=lambda place: len(place[2].shapes.keys() & _parameters_of(place[1]).keys()))
    missing = [name for name in layout.shapes if name not in _parameters_of(part)]
    extra = [name for name in _parameters_of(part) if name not in layout.shapes]
    where = f" (looked for in self.{prefix})" if prefix else ""
    sentence = f"Missing{where}: {', '.join(missing)}. There, but not expected: {', '.join(extra) or 'nothing'}."
    return Halt("missing_parameters", sentence + (hint or _how_to_go_on(module, variant)))


def _how_to_go_on(module: nn.Module, variant: str) -> str:
    """A hint for a class that has layers of its own names, or one layer for several gates; "" where neither shows."""
    own = {name: tuple(parameter.shape) for name, parameter in _parameters_of(module).items()}
    layout, flat, _ = layouts(variant)
    fused = {wanted: next((n for n, s in own.items() if s == shape), "") for wanted, shape in flat.shapes.items()}
    if all(fused.values()):
        biases = [name for name, shape in own.items() if shape == flat.shapes["bias_ih"]]
        fused |= dict(zip(("bias_ih", "bias_hh"), biases if len(biases) > 1 else 2 * biases, strict=False))
        lines = "; ".join(f"self.{wanted} = self.{name}" for wanted, name in fused.items())
        return f" Your layers hold all gates at once. Say at the end of __init__: {lines}. Their blocks are r, z, n."
    if any(shape[0] in (2 * H, 3 * H) for shape in own.values() if shape):
        return f" A layer holds several gates, so no weights fit it: write one layer per gate, {_named(layout)}."
    wanted = next(iter(layout.shapes))
    first = next((name for name, shape in own.items() if shape == layout.shapes[wanted]), "")
    if not first:
        return f" The check looks for one layer per gate: {_named(layout)}."
    line = f"self.{wanted.rpartition('.')[0]} = self.{first.rpartition('.')[0] or first}"
    return f" Your own names may stay: say at the end of __init__ which is which, as in {line}, for {_named(layout)}."


def _named(layout: Layout) -> str:
    return ", ".join(dict.fromkeys(name.partition(".")[0] for name in layout.shapes))


def told(error: Exception, cls: type) -> str:
    """An error in one line, and the last line of the candidate's own code that led to it."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    sentence = f"{type(error).__name__}: {text}" if text else type(error).__name__
    own = [base for base in cls.__mro__ if not base.__module__.startswith(("torch.", "builtins"))]
    methods = [inspect.unwrap(f) for base in own for f in vars(base).values() if inspect.isfunction(f)]
    files = {method.__code__.co_filename for method in methods}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            return f"{sentence}, at line {frame.lineno}" + (f": {line[:120]}" if line else ".")
    return sentence


class Draw:
    """Seeded float64 numbers that touch no global state, by default of the usual size."""

    def __init__(self, seed: int, scale: float = 1.0) -> None:
        self.scale = scale
        self.generator = torch.Generator("cpu").manual_seed(seed)

    def __call__(self, shape: tuple[int, ...]) -> Tensor:
        # 0.8: gates away from 0, 1/2 and 1, so that every change of the equations is seen.
        return self.scale * 0.8 * torch.randn(shape, generator=self.generator, dtype=torch.float64, device="cpu")


@contextmanager
def same_mode() -> Iterator[None]:
    """Foreign code that turns gradients off, or chooses a dtype for all, does so for itself alone."""
    dtype = torch.get_default_dtype()
    try:
        with torch.set_grad_enabled(torch.is_grad_enabled()):
            yield
    finally:
        torch.set_default_dtype(dtype)


@contextmanager
def sheltered() -> Iterator[io.StringIO]:
    """Run foreign code: what it prints is caught, and the random states are put back."""
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    printed = io.StringIO()
    # On another default device what the candidate makes in __init__ or forward would not meet the check's tensors.
    here = nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")
    try:
        with redirect_stdout(printed), here, torch.inference_mode(False), torch.enable_grad():
            yield printed
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def modules_called(classes: tuple[type, ...]) -> Iterator[list[str]]:
    """The names of the modules of these classes that are called inside, also those that no module registers."""
    names: list[str] = []

    def note(module: nn.Module, _: Any) -> None:
        names.extend(base.__qualname__ for base in classes if isinstance(module, base))

    handle = nn.modules.module.register_module_forward_pre_hook(note)
    try:
        yield names
    finally:
        handle.remove()


def forbidden_in(candidate: type, classes: tuple[type, ...]) -> list[str]:
    """What a candidate builds on of these classes, in words: bases, and modules that it holds."""
    found = [f"{base.__qualname__} is a base class." for base in classes if issubclass(candidate, base)]
    try:
        held = list(candidate(D, H).named_modules())[1:]
    except Exception:  # which the check itself finds
        return found
    return found + [
        f"self.{name} is a {base.__qualname__}." for name, part in held for base in classes if isinstance(part, base)
    ]


def seed_everything(seed: int) -> None:
    """For the candidate's own draws: its global random states, inside :func:`sheltered`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
