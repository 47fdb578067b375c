"""Models and sequences that the view tests share: every kind that GateExplorer takes."""

from itertools import product

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

import gru
from gru import views

D, LENGTHS = 3, (7, 4, 1)


class OwnCell(nn.Module):
    """A cell that the page has no equations for: its candidate is bent by a cosine."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inner = gru.ResetAfterCell(input_size, hidden_size)

    def gates(self, x, h=None):
        gates = self.inner.gates(x, h)
        n = torch.cos(gates.n)
        past = 0 if h is None else h
        return gru.Gates(gates.r, gates.z, n, (1 - gates.z) * n + gates.z * past)

    def forward(self, x, h=None):
        return self.gates(x, h).h


class Wrapped(nn.Module):
    """A model that does something of its own before its GRU, and reads (B, T, D)."""

    def __init__(self, start=0.0):
        super().__init__()
        self.before = nn.Linear(D, 6)
        self.gru = nn.GRU(6, 5, batch_first=True)
        self.out = nn.Linear(5, 4)
        self.start = start

    def forward(self, x):
        h0 = torch.full((1, len(x), 5), self.start, dtype=x.dtype, device=x.device)
        return self.out(self.gru(torch.relu(self.before(x)), h0)[0][:, -1])


def sequences(seed=0, batch_first=False):
    """x (T, B, D) or (B, T, D), lengths."""
    x = torch.randn(max(LENGTHS), len(LENGTHS), D, generator=torch.Generator().manual_seed(seed))
    return (x.transpose(0, 1) if batch_first else x), torch.tensor(LENGTHS)


def explorer(kind, **options):
    """A GateExplorer on a small model of this kind, always the same one."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = KINDS[kind]()
    x, lengths = sequences(batch_first=kind.startswith("wrapped"))
    if kind.startswith("wrapped"):
        options.setdefault("head", module.out)
    return views.GateExplorer(module, x, lengths=lengths, **options)


def dial(kind, **options):
    """A MemoryDial on the same models and sequences."""
    x, lengths = sequences(batch_first=kind.startswith("wrapped"))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return views.MemoryDial(KINDS[kind](), x, lengths=lengths, **options)


def loom(kind, **options):
    """A GradientLoom on the same models and sequences."""
    x, lengths = sequences(batch_first=kind.startswith("wrapped"))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return views.GradientLoom(KINDS[kind](), x, lengths=lengths, **options)


def vowels():
    """Cepstra of two invented utterances (9, 2, 12) whose two resonances move, and their lengths."""
    T, n = 9, torch.arange(1, 13.0)
    way = torch.linspace(0, 1, T).unsqueeze(1)  # (T, 1)
    x = torch.zeros(T, 2, 12)
    for low, high in [(850, 550), (1300, 2000)]:
        omega = 2 * torch.pi * (low + (high - low) * way) / 10_000
        x += (2 * 0.9**n * torch.cos(n * omega) / n).unsqueeze(1)  # of a pair of poles
    return x, torch.tensor([9, 6])


def words(**options):
    """A WordReader on an untrained reader and writer."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        reader, writer = gru.GRUClassifier(6, 5, 3), gru.writers.GRUWriter(6, 5, 3)
    with torch.no_grad():
        for weights in (*reader.parameters(), *writer.parameters()):
            weights.mul_(3)  # so that letters matter
    options = {"writer": writer, "text": "abeda"} | options
    return views.WordReader(reader, letters="abcde", class_names=["one", "two", "three"], **options)


def ledger(**options):
    """A MemoryLedger on the untrained reader of ``words``."""
    view = words()
    options = {"text": "abeda"} | options
    return views.MemoryLedger(view._module, letters="abcde", class_names=["one", "two", "three"], **options)


def alignment(**options):
    """An AlignmentView of an untrained encoder and decoder."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = gru.writers.EncoderDecoder(6, 4, 4, 5, attention=4)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(4)  # so that letters matter
        model.head.bias[-1] -= 3  # and the answer is not empty
    return views.AlignmentView(model, letters="abcde", symbols="0123", **({"examples": ["abeda", "ceb"]} | options))


def automaton(**options):
    """An AutomatonReader of a network that knows whether a word ends in aa, and of one that has learned nothing."""
    rows = torch.eye(3)

    def encode(word):
        return rows[[2, *map("ab".index, word)]].unsqueeze(1)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        good, other = gru.GRUClassifier(3, 4, 2), gru.GRUClassifier(3, 3, 2, reset_after=False)
        words = ["".join(word) for n in range(7) for word in product("ab", repeat=n)]
        x = pad_sequence([encode(word)[:, 0] for word in words])
        lengths = torch.tensor([len(word) + 1 for word in words])
        wanted = torch.tensor([int(word.endswith("aa")) for word in words])
        gru.fit(good, x, wanted, lengths=lengths, epochs=40, lr=0.03, until=1.0, progress=False)
    with torch.no_grad():
        other.head.bias[0] += 3  # it refuses every word
    machine = gru.automaton(good, "ab", encode=encode)
    return views.AutomatonReader([good, other], machine, encode=encode, **({"word": "abaab"} | options))


def lab(**options):
    """A ForecastLab of an untrained forecaster on an invented series of 40 months."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = gru.GRUForecaster(3, 5, 4, quantiles=(0.05, 0.25, 0.5, 0.75, 0.95))
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(2)  # so that what is drawn matters
    months = torch.arange(40.0)
    angle = months.double() * torch.pi / 3
    shape = {"context": 12, "season": 6, "center": 20.0, "scale": 2.0}
    shape["covariates"] = torch.stack([angle.sin(), angle.cos()], 1).float()
    words = {"name": "a sea", "unit": "°C", "step_names": [f"month {int(i) + 1}" for i in months]}
    values = 20 + 2 * (angle - 1).sin().float() + 0.3 * (months / 1.7).cos()
    return views.ForecastLab(model, values, **(shape | words | options))


KINDS = {
    "classifier": lambda: gru.GRUClassifier(D, 5, 4),
    "classifier, reset before": lambda: gru.GRUClassifier(D, 5, 4, reset_after=False),
    "classifier, two layers": lambda: gru.GRUClassifier(D, 5, 4, num_layers=2, dropout=0.5),
    "classifier, no bias": lambda: gru.GRUClassifier(D, 5, 4, bias=False),
    "reset before, z writes": lambda: gru.ResetBeforeCell(D, 5),
    "reset after": lambda: gru.ResetAfterCell(D, 5),
    "nn.GRUCell": lambda: nn.GRUCell(D, 5),
    "nn.GRU, two layers, both ways": lambda: nn.GRU(D, 5, num_layers=2, bidirectional=True),
    "double precision": lambda: gru.GRU(D, 5).double(),
    "wrapped": Wrapped,
    "wrapped, another start": lambda: Wrapped(start=0.5),
    "elman": lambda: gru.ElmanCell(D, 5),
    "own cell": lambda: OwnCell(D, 5),
    "two in a row": lambda: nn.Sequential(gru.GRU(D, 5, batch_first=False), First(), nn.GRU(5, 3)),
}
TRACED = ("wrapped, another start", "elman", "own cell", "two in a row")


class First(nn.Module):
    """The outputs of a layer, without its last state."""

    def forward(self, both):
        return both[0]


# One small view of each kind, by its name on the page: what every view must do is tested on these.
SMALL = {
    "alignment-view": lambda: alignment(),
    "automaton-reader": lambda: automaton(),
    "cell-anatomy": lambda: views.CellAnatomy(),
    "forecast-lab": lambda: lab(),
    "gate-explorer": lambda: explorer("classifier"),
    "gate-puzzle": views.GatePuzzle,
    "gradient-loom": lambda: loom("classifier"),
    "jacobian-plane": views.JacobianPlane,
    "memory-dial": lambda: dial("classifier, two layers", update_bias=1.0),
    "memory-ledger": lambda: ledger(),
    "parallel-newton": lambda: views.ParallelNewton(x=torch.randn(20, 2, generator=torch.Generator().manual_seed(0))),
    "phase-plane": lambda: views.PhasePlane(sequences=[torch.tensor([1.0, 0, 0, 0, -0.5, 0, 0, 0])]),
    "vanishing-lab": lambda: views.VanishingLab(hidden_size=8),
    "variant-lab": views.VariantLab,
    "word-reader": lambda: words(),
    "vowel-player": lambda: views.VowelPlayer(*vowels()),
    "weight-layouts": views.WeightLayouts,
    "workbench": lambda: views.Workbench(steps=8, units=6, batch=4),
}
