"""Weights to and from PyTorch, Keras 3, ONNX, Flax and Equinox, and between a cell and a layer.

Every layout holds the same three blocks, one for each gate; they differ in order, in transposes, in how many
biases they keep and in what z means:

=============  ===========  ==================  =================================  =======
layout         block order  input weights       biases                             z
=============  ===========  ==================  =================================  =======
``gru.GRU``    r, z, n      (3H, D)             bias_ih (3H), bias_hh (3H)         keeps
PyTorch        r, z, n      (3H, D)             bias_ih (3H), bias_hh (3H)         keeps
Keras 3        z, r, h      (D, 3H) transposed  (2, 3H); (3H) if it resets before  keeps
ONNX           z, r, h      (directions, 3H, D) (directions, 6H), input's first    keeps
Flax Linen     separate     (D, H) each         one (H) per gate, hn (H)           keeps
Flax nnx       r, z, n      (D, 3H) transposed  (3H), none in the reset's reach    keeps
Equinox        r, z, n      (3H, D)             bias (3H), bias_n (H)              keeps
reset_before   separate     in one (H, D + H)   one (H) per gate                   writes
=============  ===========  ==================  =================================  =======

Two biases that are only ever added can be merged into one: all of them where the reset comes before the
product, those of r and z where it comes after. Merging rounds once, so a round trip through a layout with
fewer biases gives back the same function; a round trip in which nothing merges gives back the same bits.

Arrays say nothing of activations: sigmoid in the gates and tanh for the candidate are assumed. Where a layer
or a model itself is given, other ones (Keras's ``recurrent_activation="hard_sigmoid"``), ``go_backwards`` and
whatever else this package does not compute are refused by name.

Sources: ``torch.nn.GRU``; ``keras/src/layers/rnn/gru.py``; the ONNX operator ``GRU``; Flax and Equinox as named in
:mod:`gru.convert.jax`. Exporting a layer that resets after the product without ``linear_before_reset=1`` is a mistake
that others made before (onnxscript#2852); the wrong block order is another (keras#8720), another activation a third
(keras#19828).

Glossary: B batch, T time, D input size, H hidden size; r reset gate, z update gate, n candidate ("h" to
Keras and ONNX).
"""

from gru.convert.cells import cell_from_layer, layer_from_cell
from gru.convert.jax import from_equinox, from_flax, to_equinox, to_flax
from gru.convert.keras import from_keras, to_keras
from gru.convert.onnx import from_onnx, to_onnx
from gru.convert.pytorch import from_torch, to_torch

__all__ = [
    "cell_from_layer",
    "from_equinox",
    "from_flax",
    "from_keras",
    "from_onnx",
    "from_torch",
    "layer_from_cell",
    "to_equinox",
    "to_flax",
    "to_keras",
    "to_onnx",
    "to_torch",
]
