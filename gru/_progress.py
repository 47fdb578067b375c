"""The progress bar of :func:`gru.fit`: text in a terminal, a native element in a notebook."""

import html
import io
import sys

from tqdm import tqdm


def progress_bar(total: int | None, unit: str, shown: bool) -> "Bar":
    """A progress bar for where we are. The total is None where nobody knows it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    in_notebook = shown and hasattr(shell, "kernel")
    return (NotebookBar if in_notebook else Bar)(total=total, desc=f"{unit}s", unit=unit, disable=not shown)


class Bar(tqdm):
    """tqdm's bar in a terminal."""

    def finish(self, text: str) -> None:
        """Leave the bar as it is, with the outcome beside it."""
        if not self.disable:
            self.set_postfix_str(text.partition(", ")[2])


class NotebookBar(Bar):
    """tqdm's bar in a notebook, as an HTML <progress> and in the end as a line of text.

    tqdm's own notebook bar is a widget: it is gone once the kernel is, and so a built page would show a hole.
    """

    monitor_interval = 0  # no thread that draws in between

    def __init__(self, **options) -> None:
        from IPython.display import DisplayHandle

        self.handle, self.shown = DisplayHandle(), False
        super().__init__(file=io.StringIO(), **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Called by tqdm whenever the bar is to be drawn."""
        label = self.format_dict | {
            "ncols": None,
            "bar_format": f"{{n_fmt}} of {{total_fmt}} {self.desc.strip(': ')}, {{remaining}} left{{postfix}}",
        }
        text = html.escape(self.format_meter(**label))
        bar = f'<progress max="{self.total}" value="{self.n}" aria-label="Training"></progress> {text}'
        self._show({"text/html": bar, "text/plain": text})

    def finish(self, text: str) -> None:
        self._show({"text/plain": text})
        self.display = lambda *_, **__: None  # nothing is drawn over it

    def _show(self, bundle: dict[str, str]) -> None:
        (self.handle.update if self.shown else self.handle.display)(bundle, raw=True)
        self.shown = True
