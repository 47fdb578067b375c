"""What every view shares: one Python class and one ES module, drawn in two hosts.

In a notebook with a kernel a view is an ipywidget: it composes with VBox, link and observe, and its traits stay in step
with the page both ways. On a built page there is no kernel. So a view also offers ``text/html``, the custom element
``<gru-view>`` that carries its state as JSON, and one script (:func:`page_script`) starts these elements with the very
same module. A reader without that script sees a sentence that says what the view shows. :meth:`View.save` writes a
page of one view, and :func:`offline` puts the script into a notebook, for the page that nbconvert makes of it.

A view says where its numbers were computed, in an element of class ``gru-where``. The words are those of ``origin`` in
controls.js, the device's name is that of ``_data.device_of``, and ``_data.apart`` says how far the page is from it.
"""

import difflib
import html
import inspect
import itertools
import json
import math
import os
from pathlib import Path
from typing import Any, ClassVar, Self

import anywidget
import torch
import traitlets

from gru.palette import NEUTRAL
from gru.views import _modules, _style
from gru.views._element import element

WIDGET = "application/vnd.jupyter.widget-view+json"

# What a file of one view says about where it comes from.
LICENCE = "Drawn by the Python package gru-book (import gru). MIT License, Copyright (c) 2026 The GRU book authors."


class Number(traitlets.Float):
    """A float that is one: NaN lies within every limit that Float knows, and in no JSON."""

    info_text = "a number"

    def validate(self, obj: Any, value: Any) -> float:
        value = super().validate(obj, value)
        if math.isnan(value):
            self.error(obj, value)
        return value


class View(anywidget.AnyWidget):
    """A live view. A subclass names its module and the traits that travel with a page:

    ``class Dial(View, module="dial", state=("angle",))`` takes ``js/dial.js`` and ``css/dial.css``.
    """

    script: ClassVar[str]  # its ES module in js/, without ".js"
    state: ClassVar[tuple[str, ...]]  # names of the traits that the module reads
    modules: ClassVar[list[str]] = []  # of every view there is

    # What a static page has to know of a view that stands in a box: its name there, its number, and its state's names.
    _page = traitlets.Dict().tag(sync=True)

    _numbers = itertools.count(1)
    _module: torch.nn.Module | None = None  # the reader's model, in a view that has one

    def __init_subclass__(cls, *, module: str | None = None, state: tuple[str, ...] = (), **keywords: Any) -> None:
        # Without a module this is the nameless subclass that traitlets' add_traits makes: it inherits everything.
        if module is not None:
            cls.script, cls.state = module, state
            cls._esm = f"{_modules.bundle(module)}\nexport default ${module}.default;\n"
            cls._css = _style.style(module)
            View.modules.append(module)
        super().__init_subclass__(**keywords)

    def __init__(self, **traits: Any) -> None:
        names = self.trait_names()
        if unknown := [name for name in traits if name not in names]:
            public = [name for name in self.state if not name.startswith("_")]
            own = inspect.signature(type(self).__init__).parameters.values()
            public = [one.name for one in own if one.kind is not one.VAR_KEYWORD and one.name != "self"] + public
            close = [match for name in unknown for match in difflib.get_close_matches(name, public, n=1)]
            hint = f"; did you mean {', '.join(close)}?" if close else f"; it takes {', '.join(public)}"
            raise TypeError(f"{type(self).__name__}: unknown keyword {', '.join(map(repr, unknown))}{hint}")
        # On a page, displays of one widget share one model: they find each other by this number. It counts from 1 in
        # every kernel, so that a page is built the same every time.
        page = {"view": self.script.replace("_", "-"), "number": next(View._numbers), "state": list(self.state)}
        super().__init__(_page=page, **traits)

    @classmethod
    def _keywords_of(cls, module: torch.nn.Module | None, traits: dict[str, Any]) -> dict[str, Any]:
        """Take from what a view was given the keywords of its model's forward, such as ``text_lengths``."""
        if module is None or isinstance(module, torch.nn.RNNBase):
            return {}
        forward = inspect.signature(module.forward).parameters
        takes_all = any(one.kind is one.VAR_KEYWORD for one in forward.values())
        own = [name for name in traits if (takes_all or name in forward) and not cls.class_traits().get(name)]
        return {name: traits.pop(name) for name in own}

    def to(self, device: torch.device | str) -> Self:
        """Move the view's model to a device, as ``torch.nn.Module.to`` does, and compute there what the view shows.

        Args:
            device: the CPU, or one of :func:`gru.available_devices`.

        Returns:
            the view itself.

        Raises:
            TypeError: the view has no model of yours.
        """
        if self._module is None:
            raise TypeError(f"{type(self).__name__}: expected a view of a model, got one without a module")
        self._module.to(device)
        self.refresh()
        return self

    def describe(self) -> str:
        """One sentence for readers to whom the view cannot be drawn."""
        raise NotImplementedError

    def to_html(self) -> str:
        """The view as an element of a page that has :func:`page_script`; without the script, its description."""
        return element({name: getattr(self, name) for name in ("_page", *self.state)}, self._words())

    def save(self, path: str | os.PathLike, title: str | None = None) -> Path:
        """Write the view as it is now into one HTML file, which answers in a browser with no kernel and no network.

        What the page can compute by itself it does, as on the pages of the book; of a model whose equations it does not
        know it shows what was traced.

        Args:
            path: of the file, which ends in ".html"; a file that is there is replaced.
            title: of the page; the name of the view's class if None.

        Returns:
            the path.

        Raises:
            TypeError, ValueError: path is not one, or ends in something else.

        >>> import os, tempfile
        >>> from gru import views
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = views.MemoryDial().save(os.path.join(folder, "dial.html"))
        ...     path.name, "https://" in path.read_text(encoding="utf-8")
        ('dial.html', False)
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path: expected a str or a path, got {type(path).__name__}")
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f'path: expected a name that ends in ".html", got {str(path)!r}')
        page = _PAGE.format(
            **{name: both[0] for name, both in NEUTRAL.items()},
            **{f"dark_{name}": both[1] for name, both in NEUTRAL.items()},
            title=html.escape(type(self).__name__ if title is None else str(title)),
            body=self.to_html(),
            licence=LICENCE,
            script=page_script(self.script),
        )
        path.write_text(page, encoding="utf-8")
        return path

    def _words(self) -> str:
        return f'{self.describe()} view.save("view.html") writes a file that needs no kernel and no network.'

    def _repr_mimebundle_(self, **keywords: Any) -> tuple[dict, dict] | None:
        live = super()._repr_mimebundle_(**keywords)
        if live is None:
            return None
        data, metadata = live
        return {**data, "text/plain": self._words(), "text/html": self.to_html()}, metadata


def page_script(*modules: str) -> str:
    """One classic script that holds the sources and styles of views and starts every ``<gru-view>`` of a page.

    It is not a module: browsers refuse module scripts on pages opened from a file.

    Args:
        modules: of the views, as :attr:`View.script` names them; all there are if none is named.
    """
    modules = modules or tuple(View.modules)
    views = ", ".join(f'"{name.replace("_", "-")}": ${name}.default' for name in modules)
    style = json.dumps(_style.style(*modules), ensure_ascii=False)
    return (
        f'(() => {{\n"use strict";\n{_modules.bundle("host", *modules)}\n$host.start({{ {views} }}, {style});\n}})();\n'
    )


def offline() -> None:
    """Keep the views of this notebook alive in the page that nbconvert makes of it, without a kernel or a network.

    Call it in a cell of its own, and export without stored widget state, which nbconvert would prefer and for which it
    would ask two hosts::

        jupyter nbconvert --to html --execute --ExecutePreprocessor.store_widget_state=False notebook.ipynb

    In the running notebook it changes nothing.
    """
    from IPython.display import display

    words = "The views of this notebook answer offline, too, once it is exported without stored widget state."
    display({"text/html": f"<script>{page_script()}</script>", "text/plain": words}, raw=True)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,">
<style>
body {{ margin: 0 auto; max-width: 60rem; padding: 1rem; font-family: system-ui, sans-serif;
  background: {page}; color: {ink}; }}
h1 {{ font-size: 1.4rem; margin: 0 0 1rem; }}
footer {{ margin-top: 2rem; font-size: 0.8rem; color: {muted}; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: {dark_page}; color: {dark_ink}; }}
  footer {{ color: {dark_muted}; }}
}}
</style></head>
<body><main><h1>{title}</h1>
{body}</main><footer>{licence}</footer>
<script>
{script}</script></body></html>
"""
