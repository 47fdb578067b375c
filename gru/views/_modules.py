"""From several small ES modules to one text, without a tool from outside.

The views' sources in ``js/`` are real ES modules that import each other. Neither host can load them so: anywidget
imports one text from a ``blob:`` URL, against which relative imports do not resolve, and a page opened from a file may
not load module scripts at all. So each module becomes a function that returns its exports, and the functions are set
one after the other, what is imported first. The result is plain JavaScript, the same in every browser and the same at
every build, and needs neither ``import()`` nor a URL of any kind.

The modules keep to what this takes, each at the beginning of a line (anything else is an error that names the line):

    import { name, name as other } from "./file.js";
    import name from "../../file.json" with { type: "json" };
    export function name   export async function name   export class name   export const name =   export default
"""

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"

_IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"\./([\w.]+)\.js";', re.MULTILINE)
_DATA = re.compile(r'^import (\w+) from "([\w./]+\.json)" with \{ type: "json" \};', re.MULTILINE)
_EXPORT = re.compile(r"^export\s+((?:async\s+)?function\*?|class|const)\s+(\w+)", re.MULTILINE)
_DEFAULT = re.compile(r"^export\s+default\b", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)  # on lines of its own
_LEFT_OVER = re.compile(r"^(import|export)\b.*", re.MULTILINE)


def bundle(*entries: str, folder: Path = FOLDER) -> str:
    """JavaScript that defines one constant ``$name`` for each entry and for all that it imports.

    Args:
        entries: names of modules in the folder, without ``.js``. Every export is a property of its constant.
        folder: where the modules are.

    Raises:
        FileNotFoundError: there is no such module.
        SyntaxError: a module imports or exports in a form that this does not take, or modules import in a circle.
    """
    done: dict[str, str] = {}
    for entry in entries:
        _collect(entry, folder, done, ())
    return "\n".join(done.values())


def _collect(name: str, folder: Path, done: dict[str, str], path: tuple[str, ...]) -> None:
    """Add a module to ``done``, after all that it imports."""
    if name in path:
        raise SyntaxError(f"modules import in a circle: {' -> '.join((*path, name))}")
    if name in done:
        return
    needs, text = _as_function(name, folder)
    for needed in needs:
        _collect(needed, folder, done, (*path, name))
    done[name] = text


@cache
def _as_function(name: str, folder: Path) -> tuple[tuple[str, ...], str]:
    """What a module imports, and the module as ``const $name = (() => { ...; return { its exports }; })();``"""
    source = (folder / f"{name}.js").read_text(encoding="utf-8")
    needs = tuple(match[2] for match in _IMPORT.finditer(source))
    exports = [match[2] for match in _EXPORT.finditer(source)]
    body = _IMPORT.sub(lambda match: f"const {{{match[1].replace(' as ', ': ')}}} = ${match[2]};", source)
    body = _DATA.sub(lambda match: f"const {match[1]} = {_data(folder / match[2])};", body)
    body = _COMMENT.sub("", body)  # readers of a page load it without
    body = _EXPORT.sub(r"\1 \2", body)
    body, defaults = _DEFAULT.subn("const $default =", body)
    if found := _LEFT_OVER.search(body):
        raise SyntaxError(f"{name}.js: cannot take this form of import or export: {found[0]}")
    exports += ["default: $default"] * defaults
    return needs, f"const ${name} = (() => {{\n{body.strip()}\nreturn {{ {', '.join(exports)} }};\n}})();"


def _data(path: Path) -> str:
    return json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":"))
