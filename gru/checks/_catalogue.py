"""Every mistake that the checks know by name: one sentence each, and the equation to look at."""

from typing import NamedTuple


class Mistake(NamedTuple):
    """What went wrong in one sentence, and which of the equations r, z, n, h' (0 to 3) it concerns, if one does."""

    sentence: str
    equation: int | None = None


R, Z, N, NEW = range(4)

CATALOGUE = {
    # The class and its parameters
    "not_a_module": Mistake(
        "The class does not derive from torch.nn.Module, so its layers cannot be found or trained."
    ),
    "constructor_raises": Mistake("An error is raised while the class is built from (input_size, hidden_size)."),
    "missing_parameters": Mistake("Parameters of the reference are missing, so its weights cannot be copied in."),
    "extra_parameters": Mistake("There are parameters or buffers that the reference does not have."),
    "wrong_parameter_shape": Mistake("A parameter has another shape than in the reference."),
    "shared_parameters": Mistake("Two layers are one and the same object, so they can never learn different weights."),
    "several_recurrences": Mistake(
        "More than one module inside bears the names of a recurrence; exactly one was expected."
    ),
    # The call
    "raises": Mistake("Calling it raises an error."),
    "prints": Mistake("It prints when it is built or called, which would repeat at every step of every sequence."),
    "returns_nothing": Mistake("It returns None: the return statement is missing."),
    "returns_no_tensor": Mistake("What it returns is no tensor."),
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
    "gradient_cut": Mistake(
        "The gradient does not flow where the equations let it flow: detach, .data, .item(), no_grad or NumPy cuts it."
    ),
    "backward_raises": Mistake("The forward pass works, but the backward pass raises an error."),
    # The gates
    "z_swapped": Mistake(
        "z and 1 - z have changed places: the cell keeps where it should write, and writes where it should keep.", NEW
    ),
    "gates_swapped": Mistake("The reset gate and the update gate have changed places.", R),
    "update_gate_in_candidate": Mistake("The update gate stands where the reset gate belongs, in the candidate.", N),
    "reset_gate_in_blend": Mistake("The reset gate stands where the update gate belongs, in the new state.", NEW),
    "reset_sigmoid_missing": Mistake("The reset gate lacks its sigmoid, so r leaves the range from 0 to 1.", R),
    "update_sigmoid_missing": Mistake("The update gate lacks its sigmoid, so z leaves the range from 0 to 1.", Z),
    "reset_tanh": Mistake("The reset gate has a tanh where its sigmoid belongs, so r can be negative.", R),
    "update_tanh": Mistake("The update gate has a tanh where its sigmoid belongs, so z can be negative.", Z),
    "update_reads_reset_state": Mistake("The update gate reads r * h where it should read h.", Z),
    # The reset
    "reset_before_product": Mistake(
        "The reset gate acts before the recurrent product, on h, where this variant lets it act after the product.", N
    ),
    "reset_after_product": Mistake(
        "The reset gate acts after the recurrent product where this variant lets it act before, on h.", N
    ),
    "bias_outside_reset": Mistake(
        "The recurrent bias of the candidate stands outside the reset; here r scales it too.", N
    ),
    "reset_gate_unused": Mistake("The reset gate is not used: the candidate reads the plain state, as if r were 1.", N),
    "reset_inverted": Mistake("1 - r stands where r belongs.", N),
    "reset_on_everything": Mistake(
        "The reset gate scales the input's part of the candidate as well as the state's.", N
    ),
    "reset_on_input": Mistake(
        "The reset gate scales the input's part of the candidate where it should scale the state's.", N
    ),
    "reset_on_candidate": Mistake("The reset gate scales the finished candidate, outside the tanh.", N),
    "reset_state_carried": Mistake("The old state is carried as r * h; the reset belongs in the candidate alone.", NEW),
    # The candidate
    "candidate_tanh_missing": Mistake(
        "The candidate lacks its tanh, so the recurrence has no nonlinearity that bounds it.", N
    ),
    "candidate_sigmoid": Mistake("The candidate has a sigmoid where its tanh belongs, so it is never negative.", N),
    "candidate_relu": Mistake("The candidate has a ReLU where its tanh belongs, so it has no bound above.", N),
    # The new state
    "update_gate_unused": Mistake(
        "The update gate is not used and no state is carried: the new state is the candidate, h' = n.", NEW
    ),
    "state_unchanged": Mistake("The cell returns the state that it was given.", NEW),
    "old_state_forgotten": Mistake("The new state lacks the old one: only the candidate's share is there.", NEW),
    "candidate_forgotten": Mistake("The new state lacks the candidate: only the old state's share is there.", NEW),
    "complement_missing": Mistake(
        "The two shares of the new state do not add up to 1: one of them is not multiplied.", NEW
    ),
    "second_tanh": Mistake("A second tanh squashes the new state again; n is bounded already and h' needs none.", NEW),
    # What is read
    "input_forgotten": Mistake("The input x is not read where it should be."),
    "state_forgotten": Mistake("The state h is not read where it should be."),
    "h_before_x": Mistake("The state is concatenated before the input; the weights expect x first, then h."),
    "bias_missing": Mistake("No bias is added."),
    "input_bias_missing": Mistake("The biases that belong to the input are not added."),
    "hidden_bias_missing": Mistake("A bias that belongs to the state is not added."),
    "bias_twice": Mistake("A bias is added twice."),
    # A layer's results
    "result_not_a_pair": Mistake("The layer should return two tensors, (out, h_n)."),
    "result_order_swapped": Mistake("The layer returns (h_n, out); the order should be (out, h_n)."),
    "only_last_output": Mistake(
        "out holds the last state alone; it should hold the state after every step, (T, B, H)."
    ),
    "last_batch_row": Mistake("The last row of the batch is taken where the last step in time was meant."),
    "h_n_shape": Mistake("h_n has the right numbers in the wrong shape."),
    "h_n_wrong": Mistake("h_n is not the state after the last step."),
    # A layer's steps
    "batch_and_time_swapped": Mistake("The batch and time axes are swapped; the first axis of x is time."),
    "state_not_carried": Mistake(
        "The state is not carried from step to step: every step starts from the initial state."
    ),
    "h0_ignored": Mistake("The initial state h0 is ignored: the run starts from zeros."),
    "h0_required": Mistake("The layer fails without h0; it should start from zeros then."),
    "start_not_zero": Mistake("Without h0 the run does not start from zeros."),
    "one_step_only": Mistake("Only one step is run, not the whole sequence."),
    "outputs_shifted": Mistake("out holds the state before each step where it should hold the state after it."),
    "reversed_in_time": Mistake("Time runs backwards."),
    "outputs_overwritten": Mistake(
        "Every entry of out is the last state: one tensor was overwritten at each step and stacked T times."
    ),
    "padding_read": Mistake("With lengths, the result depends on the padding behind the end of a sequence."),
    "lengths_wrong": Mistake("With lengths, the valid outputs or the last states are wrong."),
    "detached_between_steps": Mistake("The state is detached between steps, so no gradient flows back through time."),
}

MISTAKES = {name: mistake.sentence for name, mistake in CATALOGUE.items()}
