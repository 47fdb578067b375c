// @ts-check
/** Cells to begin from on the workbench, as equations. No DOM. */

/**
 * `sentence` says what a cell is that computes the same; empty where the catalogue of gru.checks says it better.
 * @type {{ name: string, title: string, text: string, known?: string, sentence: string }[]}  title: beside other runs;
 *   known: the same with the bias that a reader's cell may have
 */
export const CELLS = [
  {
    name: "GRU, reset after (PyTorch)",
    title: "GRU",
    text: `r = sigmoid(W_r @ x + U_r @ h + b_r)              # reset gate
z = sigmoid(W_z @ x + U_z @ h + b_z)              # update gate
n = tanh(W_n @ x + b_in + r * (U_n @ h + b_hn))   # candidate
h = (1 - z) * n + z * h                           # z keeps`,
    sentence: "",
  },
  {
    name: "GRU, reset before (Cho et al.)",
    title: "GRU, before",
    text: `r = sigmoid(W_r @ x + U_r @ h + b_r)
z = sigmoid(W_z @ x + U_z @ h + b_z)
n = tanh(W_n @ x + U_n @ (r * h) + b_n)
h = (1 - z) * n + z * h                           # z keeps`,
    sentence: "",
  },
  {
    name: "GRU, the note's first cell",
    title: "the note's",
    text: `r = sigmoid(W_r @ cat(x, h) + b_r)
z = sigmoid(W_z @ cat(x, h) + b_z)
n = tanh(W_n @ cat(x, r * h) + b_n)
h = (1 - z) * h + z * n                           # z writes`,
    sentence: "",
  },
  {
    name: "Without gates (tanh RNN)",
    title: "no gates",
    text: "h = tanh(W @ x + U @ h + b)",
    sentence: "A recurrent network without gates: what torch.nn.RNN computes.",
  },
  {
    name: "Minimal gated unit",
    title: "MGU",
    text: `f = sigmoid(W_f @ x + U_f @ h + b_f)
n = tanh(W_n @ x + U_n @ (f * h) + b_n)
h = (1 - f) * h + f * n`,
    sentence: "The minimal gated unit (Zhou et al. 2016): one gate does the work of both.",
  },
  {
    name: "minGRU",
    title: "minGRU",
    text: `z = sigmoid(W_z @ x + b_z)
n = W_n @ x + b_n
h = (1 - z) * h + z * n`,
    sentence: "The minGRU (Feng et al. 2024): neither gate nor candidate reads the state.",
  },
  {
    name: "LSTM",
    title: "LSTM",
    text: `i = sigmoid(W_i @ x + U_i @ h + b_i)
f = sigmoid(W_f @ x + U_f @ h + b_f)
g = tanh(W_g @ x + U_g @ h + b_g)
o = sigmoid(W_o @ x + U_o @ h + b_o)
c = f * c + i * g
h = o * tanh(c)`,
    sentence: "An LSTM: what torch.nn.LSTM computes, with its two biases added up.",
  },
  {
    name: "IRNN (start U as the identity)",
    title: "ReLU",
    text: "h = relu(W @ x + U @ h)",
    known: "h = relu(W @ x + U @ h + b)",
    sentence: "A recurrent network with a ReLU; with U the identity and no bias at first it is the IRNN (Le et al. 2015).",
  },
];
