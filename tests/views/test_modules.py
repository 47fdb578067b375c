"""The bundle is the sources: same exports, in a page's classic script, in anywidget's module, and as they stand."""

from urllib.parse import urlsplit

import pytest

from gru import views
from gru.views import _modules, _style
from gru.views._modules import bundle

MODULES = sorted(path.stem for path in _modules.FOLDER.glob("*.js"))


@pytest.fixture
def folder(tmp_path):
    def write(**sources):
        for name, source in sources.items():
            (tmp_path / f"{name}.js").write_text(source, encoding="utf-8")
        return tmp_path

    return write


def test_bundle_runs_each_module_once_and_what_it_needs_first(folder, browser):
    sources = folder(
        a='import { two as zwei, three } from "./b.js";\nimport { log } from "./c.js";\n'
        "log.push('a');\nexport default { sum: zwei() + three, log };\n",
        b='import {\n  log,\n} from "./c.js";\nlog.push("b");\n'
        "export function two() { return 2; }\nexport const three = 3;\n",
        c="export const log = [];\nexport class Left {}\nexport async function later() {}\n",
    )
    page = browser.new_page()
    found = page.evaluate(f"() => {{ {bundle('a', folder=sources)}\nreturn [$a.default, Object.keys($c)]; }}")
    page.close()
    assert found == [{"sum": 5, "log": ["b", "a"]}, ["log", "Left", "later"]]


def test_data_that_python_reads_as_well(folder, browser):
    """As ES modules import JSON; here the folder is where gru/views/js would be."""
    inner = folder() / "views" / "js"
    inner.mkdir(parents=True)
    (inner / "a.js").write_text(
        'import words from "../../words.json" with { type: "json" };\nexport const first = words.list[0];\n'
    )
    folder().joinpath("words.json").write_text('{\n  "list": ["</script>é", 2]\n}\n', encoding="utf-8")
    page = browser.new_page()
    assert page.evaluate(f"() => {{ {bundle('a', folder=inner)}\nreturn $a.first; }}") == "</script>é"
    page.close()


@pytest.mark.parametrize(
    "line",
    [
        'import b from "./b.js";',
        'import * as b from "./b.js";',
        'import { b } from "elsewhere";',
        "export { b };",
        'export * from "./b.js";',
        "export let b = 1;",
    ],
)
def test_other_forms_are_errors_that_show_the_line(folder, line):
    with pytest.raises(SyntaxError, match=r"a\.js: cannot take this form") as caught:
        bundle("a", folder=folder(a=f"const x = 1;\n{line}\n"))
    assert line in str(caught.value)


def test_circles_and_missing_modules_are_errors(folder):
    circle = folder(
        a='import { b } from "./b.js";\n', b='import { a } from "./a.js";\n', d='import { c } from "./c.js";\n'
    )
    with pytest.raises(SyntaxError, match="a -> b -> a"):
        bundle("a", folder=circle)
    with pytest.raises(FileNotFoundError, match=r"c\.js"):
        bundle("d", folder=circle)


def test_bundle_has_the_exports_of_the_real_modules(browser):
    page, root = browser.new_page(), _modules.FOLDER.parents[1]
    kinds = {".js": "text/javascript", ".json": "application/json"}

    def serve(route):
        path = root / urlsplit(route.request.url).path.lstrip("/")
        body = path.read_text(encoding="utf-8") if path.suffix in kinds else "<!doctype html>"
        route.fulfill(body=body, content_type=kinds.get(path.suffix, "text/html"))

    page.route("http://127.0.0.1/**", serve)
    page.goto("http://127.0.0.1/views/js/")
    exports = "async (name) => Object.keys(await import(`./${name}.js`)).sort()"
    native = {name: page.evaluate(exports, name) for name in MODULES}
    constants = ", ".join(f"{name}: Object.keys(${name}).sort()" for name in MODULES)
    bundled = page.evaluate(f"() => {{ {bundle(*MODULES)}\nreturn {{ {constants} }}; }}")
    page.close()
    assert native == bundled


def test_anywidget_can_load_the_module_from_a_blob(browser):
    page = browser.new_page()
    kind = page.evaluate(
        """async (source) => {
          const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
          return typeof module.default.render;
        }""",
        views.GateExplorer._esm,
    )
    page.close()
    assert kind == "function"


def test_pure_modules_touch_no_dom():
    for name in ("gru", "draw"):
        source = (_modules.FOLDER / f"{name}.js").read_text(encoding="utf-8")
        assert "import {" not in source
        assert not [word for word in ("document", "window", "querySelector") if f"{word}." in source]


def test_every_module_is_type_checked_and_the_script_is_lean():
    assert all((_modules.FOLDER / f"{name}.js").read_text().startswith("// @ts-check\n") for name in MODULES)
    assert len(views.page_script().encode()) < 83_000 + 32_000 * len(views.View.modules)


def test_colours_come_from_the_palette_for_light_and_dark():
    from gru.palette import COLOURS

    light, system, page = _style.variables().splitlines()
    for name, (on_light, on_dark) in COLOURS.items():
        assert f"--gru-{name}: {on_light};" in light
        assert f"--gru-{name}: {on_dark};" in system
        assert f"--gru-{name}: {on_dark};" in page
