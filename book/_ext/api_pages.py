"""The API page: every public name of the package, from its docstring.

For writers of pages, within ```{eval-rst}:

    .. api:: gru.layer              what gru itself exports of this module, as gru.GRU
    .. api:: gru.convert
       :namespace:                  every public name of the module, as gru.convert.from_torch

A class shows the public methods that it or a class of the package below it documents. Docstrings are Google style;
their doctests copy without prompts.

The package is imported when the page is read, and not before: it brings torch, which takes longer than the rest of a
rebuild.
"""

import importlib
import inspect
import re
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature
from traitlets import HasTraits

ENTRY = re.compile(r"\s{4}\w+: ")  # "    outputs: the last layer's states", an entry of a section Returns


def public_names(module: ModuleType, namespace: bool) -> list[str]:
    """Dotted names of the functions and classes that readers may use, in the order of their definition."""
    gru = importlib.import_module("gru")
    if not namespace:
        exported = {name: getattr(gru, name) for name in gru.__all__}
        return [f"gru.{name}" for name in _by_place(exported, lambda value: value.__module__ == module.__name__)]
    names = getattr(module, "__all__", None)
    found = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    if names is None:  # what is written there, and not what gru shows already
        chosen = _by_place(found, lambda value: value.__module__ == module.__name__)
        chosen = [name for name in chosen if getattr(gru, name, None) is not found[name]]
    else:
        chosen = _by_place({name: getattr(module, name) for name in names}, lambda value: True)
    return [f"{module.__name__}.{name}" for name in chosen]


def _by_place(values: dict[str, Any], wanted: Any) -> list[str]:
    kept = {n: v for n, v in values.items() if (inspect.isclass(v) or inspect.isfunction(v)) and wanted(v)}
    return sorted(kept, key=lambda name: (kept[name].__module__, inspect.getsourcelines(kept[name])[1]))


def methods(value: type) -> dict[str, Any]:
    """Documented public methods and properties, also of the package's own base classes."""
    found = {}
    if issubclass(value, tuple):
        return found  # a NamedTuple: its fields stand in its signature
    for owner in reversed(value.__mro__):
        if owner.__module__.split(".")[0] == "gru":
            for name, member in vars(owner).items():
                ours = inspect.isfunction(member) and member.__module__ == owner.__module__  # not what others put there
                ours = ours or isinstance(member, property | classmethod | staticmethod)
                if ours and not name.startswith("_") and member.__doc__:
                    found[name] = member
    return found


class Api(SphinxDirective):
    """See the module."""

    required_arguments = 1
    option_spec = {"namespace": directives.flag}  # noqa: RUF012

    def describe_class(self, name: str, value: type) -> list[str]:
        """The class with its methods; those that a class above it has shown already are only named."""
        shown = self.env.temp_data.setdefault("api_methods", {})  # method -> where it stands
        found = methods(value)
        known = [shown[member] for member in found.values() if member in shown]
        new = [method for method, member in found.items() if member not in shown]
        shown |= {found[method]: f"{name}.{method}" for method in new}
        lines = [f".. autoclass:: {name}"]
        lines += [f"   :members: {', '.join(new)}"] if new else []
        lines += ["", f"   Also {', '.join(f':meth:`{place}`' for place in known)}."] if known else []
        return [*lines, ""]

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        namespace = "namespace" in self.options
        lines = [f".. py:module:: {module.__name__}", ""] if namespace else []
        for name in public_names(module, namespace):
            parent, _, last = name.rpartition(".")
            value = getattr(importlib.import_module("gru") if parent == "gru" else module, last)
            lines += self.describe_class(name, value) if inspect.isclass(value) else [f".. autofunction:: {name}", ""]
        if not any(lines):
            raise self.error(f"{module.__name__}: gru exports nothing of it")
        self.env.note_dependency(inspect.getsourcefile(module))
        self.env.metadata[self.env.docname]["api"] = "yes"  # the page asks for api.css
        section = nodes.Element()
        self.state.nested_parse(StringList(lines, module.__name__), self.content_offset, section)
        return section.children


def read_results(_app: Sphinx, _what: str, _name: str, _value: object, _options: object, lines: list[str]) -> None:
    """Several named results become a list, and a sentence with a colon stays one: to napoleon it would be a type."""
    if "Returns:" not in lines:
        return
    start = lines.index("Returns:") + 1
    stop = next((i for i in range(start, len(lines)) if lines[i] and not lines[i].startswith(" ")), len(lines))
    if sum(map(bool, map(ENTRY.match, lines[start:stop]))) > 1:
        for i in range(start, stop):
            name, _, rest = lines[i].strip().partition(": ")
            lines[i] = f"    * **{name}** – {rest}" if ENTRY.match(lines[i]) else f"  {lines[i]}".rstrip()
    else:
        lines[start] = f"    : {lines[start].strip()}"


def sign_view(_app: Sphinx, what: str, _name: str, value: Any, _options: object, _sign: str, result: str) -> Any:
    """The arguments of a view; traitlets puts `*args, **kwargs` in their place."""
    if what != "class" or not issubclass(value, HasTraits):
        return None
    signature = inspect.signature(value.__init__)
    arguments = [parameter for name, parameter in signature.parameters.items() if name != "self"]
    signature = signature.replace(parameters=arguments, return_annotation=inspect.Signature.empty)
    return stringify_signature(signature, unqualified_typehints=True), result


def add_style(app: Sphinx, page: str, _template: str, _context: dict[str, Any], _doctree: object) -> None:
    if "api" in app.env.metadata.get(page, {}):
        app.add_css_file("api.css")


def configure(_app: Sphinx, config: Config) -> None:
    config.autodoc_member_order = "bysource"
    config.autodoc_inherit_docstrings = False
    config.autodoc_preserve_defaults = True
    config.autodoc_typehints_format = "short"
    config.python_use_unqualified_type_names = True
    config.napoleon_numpy_docstring = False
    config.napoleon_use_param = False  # "weight, bias: ..." stays one entry
    config.toc_object_entries_show_parents = "hide"
    config.copybutton_prompt_text = r">>> |\.\.\. "
    config.copybutton_prompt_is_regexp = True


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", read_results, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", sign_view)
    app.setup_extension("sphinx.ext.napoleon")
    app.add_directive("api", Api)
    app.connect("config-inited", configure)
    app.connect("html-page-context", add_style)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
