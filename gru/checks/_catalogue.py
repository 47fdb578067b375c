"""Every mistake that the checks know by name: one sentence each, and the equation to look at.

Those that a formula can hold stand in ``catalogue.json``, which the workbench's page reads as well, so that both name a
mistake by the same name. There each has its ``formulas``: the lines that differ from the reference's, where the reset
acts ``after`` the product or ``before`` it, and where z ``keeps`` or ``writes``; k is the old state's share.
"""

import json
from pathlib import Path
from typing import NamedTuple

LINES = ("r", "z", "n", "the new state")  # what the four equations compute
READS = "what the layers of r, z and n are given"
RETURNS = "what forward returns"
STEPS = "the loop over time, and the state that it starts from"


class Mistake(NamedTuple):
    """What went wrong in one sentence, and which of the equations r, z, n, h' (0 to 3) it concerns, if one does.

    ``place`` is where to look where no equation is concerned. Where there is neither, the sentence gives nothing away
    that the reader would rather find alone, and is said at every level of hints.
    """

    sentence: str
    equation: int | None = None
    place: str = ""

    @property
    def where(self) -> str:
        """Where to look, in words that follow "Look at"; "" where the sentence may be said at once."""
        return self.place if self.equation is None else f"the line that computes {LINES[self.equation]}"


_READ = json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8"))
_FORMULAS = {name: Mistake(one["sentence"], one.get("equation"), READS) for name, one in _READ["mistakes"].items()}

CATALOGUE = _FORMULAS | {
    # The class and its parameters
    "not_a_module": Mistake(
        "The class does not derive from torch.nn.Module, so its layers cannot be found or trained."
    ),
    "constructor_raises": Mistake("An error is raised while the class is built from (input_size, hidden_size)."),
    "missing_parameters": Mistake("Parameters of the reference are missing, so its weights cannot be copied in."),
    "extra_parameters": Mistake("There are parameters or buffers that the reference does not have."),
    "forbidden_class": Mistake("It builds on a class that may not be used here."),
    "wrong_parameter_shape": Mistake("A parameter has another shape than in the reference."),
    "shared_parameters": Mistake("Two layers are one and the same object, so they can never learn different weights."),
    "several_recurrences": Mistake(
        "More than one module inside bears the names of a recurrence; exactly one was expected."
    ),
    # The call
    "raises": Mistake("Calling it raises an error."),
    "prints": Mistake("It prints when it is built or called, which would repeat at every step of every sequence."),
    "returns_nothing": Mistake("It returns None: the return statement is missing."),
    "returns_no_tensor": Mistake("What it returns is not a tensor."),
    "returns_tuple": Mistake("The cell returns a tuple where the new state h' alone is expected."),
    "wrong_shape": Mistake("What it returns has the wrong shape."),
    "wrong_dtype": Mistake("What it returns has another dtype than what it was given."),
    "returns_nan": Mistake("It returns NaN or infinity for finite inputs."),
    "precision_lost": Mistake("It computes in a lower precision than its inputs and weights have."),
    "modifies_input": Mistake("It writes into a tensor that it was given, so the caller's copy changes too."),
    "depends_on_earlier_calls": Mistake(
        "Called twice with the same tensors it answers differently: it keeps something between calls."
    ),
    "depends_on_chance": Mistake(
        "Called twice with the same tensors it answers differently, because it draws random numbers."
    ),
    "batch_of_one": Mistake("It fails for a batch of one: look for a squeeze, or a test of the batch size."),
    "sizes_assumed": Mistake(
        "It is right for some sizes only: look for a size written as a number, or an axis squeezed away."
    ),
    "range_assumed": Mistake(
        "It is right for some numbers only: look for a clamp, a rounding, or a test of how large a number is."
    ),
    "gradient_cut": Mistake(
        "The gradient does not flow where the equations let it flow: detach, .data, .item(), no_grad or NumPy cuts it."
    ),
    "backward_raises": Mistake("The forward pass works, but the backward pass raises an error."),
    # What is read
    "h_before_x": Mistake(
        "The state is concatenated before the input; the weights expect x first, then h.", place=READS
    ),
    "reset_softmax": Mistake("The reset gate has a softmax where its sigmoid belongs, so the units share one sum.", 0),
    "update_softmax": Mistake(
        "The update gate has a softmax where its sigmoid belongs, so the units share one sum.", 1
    ),
    "weight_transposed": Mistake(
        "A recurrent weight is transposed: look for a .T that is missing or one too many.", place=READS
    ),
    "weight_reshaped": Mistake(
        "A weight, or what it gives, is reshaped in a way that puts its numbers elsewhere.", place=READS
    ),
    "layer_mixed_up": Mistake(
        "One gate's layer is used for another: look at the names, or the order of the blocks.", place=READS
    ),
    "batch_mean": Mistake("The batch's mean stands in for every row; each row has a state of its own.", place=READS),
    "first_row": Mistake(
        "The batch's first row stands in for every row; each row has a state of its own.", place=READS
    ),
    # A layer's results
    "result_not_a_pair": Mistake("The layer should return two tensors, (out, h_n).", place=RETURNS),
    "result_order_swapped": Mistake("The layer returns (h_n, out); the order should be (out, h_n).", place=RETURNS),
    "only_last_output": Mistake(
        "out holds the last state alone; it should hold the state after every step, (T, B, H).", place=RETURNS
    ),
    "last_batch_row": Mistake(
        "The last row of the batch is taken where the last step in time was meant.", place=RETURNS
    ),
    "h_n_shape": Mistake("h_n has the right numbers in the wrong shape.", place=RETURNS),
    "h_n_wrong": Mistake("h_n is not the state after the last step.", place=RETURNS),
    # A layer's steps
    "batch_and_time_swapped": Mistake("The batch and time axes are swapped; the first axis of x is time.", place=STEPS),
    "state_not_carried": Mistake(
        "The state is not carried from step to step: every step starts from the initial state.", place=STEPS
    ),
    "h0_ignored": Mistake("The initial state h0 is ignored: the run starts from zeros.", place=STEPS),
    "h0_required": Mistake("The layer fails without h0; it should start from zeros then.", place=STEPS),
    "start_not_zero": Mistake("Without h0 the run does not start from zeros.", place=STEPS),
    "one_step_only": Mistake("Only one step is run, not the whole sequence.", place=STEPS),
    "outputs_shifted": Mistake(
        "out holds the state before each step where it should hold the state after it.", place=STEPS
    ),
    "outputs_squashed": Mistake(
        "out holds the tanh of each state where it should hold the state: n is bounded already.", place=STEPS
    ),
    "reversed_in_time": Mistake("Time runs backwards.", place=STEPS),
    "outputs_overwritten": Mistake(
        "Every entry of out is the last state: one tensor was overwritten at each step and stacked T times.",
        place=STEPS,
    ),
    "padding_read": Mistake(
        "With lengths, the result depends on the padding behind the end of a sequence.", place=STEPS
    ),
    "lengths_wrong": Mistake("With lengths, the valid outputs or the last states are wrong.", place=STEPS),
    "detached_between_steps": Mistake(
        "The state is detached between steps, so no gradient flows back through time.", place=STEPS
    ),
}

MISTAKES = {name: mistake.sentence for name, mistake in CATALOGUE.items()}


def formulas(name: str, place: str, role: str) -> list[tuple[str, str]]:
    """The texts of cells that make a mistake, each with what more is to say of it; none where a formula cannot.

    Args:
        name: of the mistake, or "" for the reference itself.
        place: where the reset acts, "after" or "before" the product.
        role: what z does, "keeps" or "writes".
    """
    found = []
    for change in [{}] if not name else _READ["mistakes"].get(name, {}).get("formulas", []):
        lines = {}
        for key in "rznkh":
            line = change.get(key, _READ["reference"][key])
            lines[key] = line if isinstance(line, str) else line.get(place, line.get(role))
        if None not in lines.values():
            found.append(("\n".join(f"{key} = {line}" for key, line in lines.items()), change.get("says", "")))
    return found
