r"""TeX to MathML as browsers set it: latex2mathml translates, and what MathML Core leaves to the writer is put in here.

MathML Core, which all browsers follow, has no columnalign and knows operators only by a dictionary. TeX knows more:
that `-` after `=` is a sign, that `tanh` keeps a thin space from a letter beside it but not from a bracket, that
nothing is spaced out in a subscript. Each rule below is one of these.

Sources: MathML Core, https://www.w3.org/TR/mathml-core/; D. Knuth, The TeXbook, appendix G and chapter 18.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert

KINDS = {"r": "g", "z": "g", "n": "g", "h": "s", "x": "s"}  # gates, states: \rg, \hs
# A letter with a colour goes through latex2mathml as a character that nothing else uses.
STAND_INS = {chr(0xE000 + ord(letter)): letter for letter in KINDS}
MACRO = re.compile("|".join(rf"\\{letter}{kind}(?![a-zA-Z])" for letter, kind in KINDS.items()))
LINES = re.compile(r"\\(begin|end)\{(?:aligned|align|split|gathered)\}")
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
BARS = {"|", "‖"}
BIG = {"∑", "∏"}
WITH_LIMITS = {"max", "min", "lim"}
OPENING, CLOSING = set("([{⟨"), set(")]}⟩")
THIN = "0.167em"
SPACING = {"|": ("0", "0"), "‖": ("0", "0"), "/": ("0", "0"), "…": ("0", "0"), "⋯": (THIN, THIN)}


def mathml(tex: str, display: bool = False) -> str:
    r"""The formula as a `<math>` element; \rg, \zg, \ng, \hs, \xs are letters with their gate's class.

    >>> mathml(r"\zg = 1")
    '<math><mrow><mi class="gru-z">z</mi><mo>=</mo><mn>1</mn></mrow></math>'
    """
    tex = MACRO.sub(lambda macro: chr(0xE000 + ord(macro[0][1])), tex.strip())
    if display and r"\\" in tex and not tex.startswith(r"\begin"):
        tex = rf"\begin{{align*}}{tex}\end{{align*}}"
    tex = LINES.sub(r"\\\1{align*}", tex)
    found = convert(tex).replace(' xmlns="http://www.w3.org/1998/Math/MathML" display="inline"', "")
    root = ElementTree.fromstring(found)
    if unknown := [text for text in root.itertext() if "\\" in text]:
        raise ValueError(f"unknown: {', '.join(unknown)}")
    if display:
        root.set("display", "block")
    for element in list(root.iter()):
        colour(element)
        mend_letters(element)
        mend_scripts(element, display)
        mend_arrow_and_brace(element)
    for element in list(root.iter()):
        space(element)
    for element in root.iter():
        if element.tag in SCRIPTS:
            tighten(element)
    if [one.tag for one in root[0]] == ["mo"]:  # a sign that is spoken of
        root[0][0].attrib |= {"lspace": "0", "rspace": "0"}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def colour(element: Element) -> None:
    """Letters with a colour; a table's lines, which the style sheet aligns; no attributes that browsers do not know."""
    letter = STAND_INS.get(element.text or "")
    if letter:
        element.tag, element.text = "mi", letter
        element.set("class", f"gru-{letter}")
    if element.tag == "mtable" and "columnspacing" in element.attrib:
        aligned = any(len(row) > 1 for row in element)
        element.attrib = {"displaystyle": "true", "class": "lines" if aligned else "rows"}
    if element.tag == "mtd":
        element.attrib.pop("columnalign", None)


def mend_scripts(element: Element, display: bool) -> None:
    """Limits below and above; primes, which their font has raised already; accents."""
    if element.tag not in SCRIPTS:
        return
    base, *scripts = element
    if base.text in BIG or (display and base.text in WITH_LIMITS):
        element.tag = LIMITS.get(element.tag, element.tag)
    if element.tag == "msup" and scripts[0].text == "′":
        element.tag, scripts[0].tag = "mrow", "mo"
        scripts[0].attrib = {"lspace": "0", "rspace": "0"}
    if element.tag == "mover" and scripts[0].tag == "mo":
        element.set("accent", "true")


def mend_letters(element: Element) -> None:
    """Upright words are one word each; what is no operator is none."""
    if element.tag == "mrow" and len(element) > 1 and all(one.get("mathvariant") == "normal" for one in element):
        element.tag, element.text = "mi", "".join(one.text or "" for one in element)
        element[:] = []
    if element.text == "∞":
        element.tag = "mi"
    if element.text == "~" and element.tag == "mi":
        element.tag, element.text = "mo", "∼"


def mend_arrow_and_brace(element: Element) -> None:
    r"""\xrightarrow and \underbrace: Chromium does not draw what grows in width out of several pieces.

    So the arrow is a long one, and what stands for the brace is a line that the style sheet draws.
    """
    if element.tag == "mover" and element[0].tag == "mstyle" and element[1].tag == "mpadded":
        element[:] = [element[0][0], element[1][0]]
        element[0].attrib, element[0].text = {}, "⟶"
    if element.tag == "munder" and element[1].text == "⏟":
        element.tag, element.attrib = "mrow", {"class": "braced"}
        del element[1]


def space(row: Element) -> None:
    """Signs, brackets and names of functions get the room that TeX gives them."""
    if row.tag in SCRIPTS:
        return
    before: Element | None = None
    for place, element in reversed(list(enumerate(row))):
        before = row[place - 1] if place else None
        after = row[place + 1] if place + 1 < len(row) else None
        core = nucleus(element)
        if is_function(core):
            core.tag, core.attrib = "mi", {}
            if after is not None and (nucleus(after).tag not in {"mo", "mspace"} or nucleus(after).text in BARS):
                row.insert(place + 1, Element("mspace", width=THIN))
            if before is not None and (before.tag not in {"mo", "mspace"} or before.text in CLOSING):
                row.insert(place, Element("mspace", width=THIN))
        elif core.tag == "mo":
            space_operator(core, before)


def space_operator(operator: Element, before: Element | None) -> None:
    text = operator.text or ""
    if text in SPACING:
        operator.set("lspace", SPACING[text][0])
        operator.set("rspace", SPACING[text][1])
        if "minsize" not in operator.attrib and text in BARS:
            operator.set("stretchy", "false")
    if text == "⊙":
        operator.set("largeop", "false")  # Firefox takes it for one, like a sum
    signs = before is not None and before.tag == "mo" and before.text not in CLOSING | BARS | {"′", "…"}
    if text in {"+", "−", "-"} and signs:
        operator.set("form", "prefix")


def nucleus(element: Element) -> Element:
    """What a script is attached to, or the element itself."""
    while element.tag in SCRIPTS and len(element):
        element = element[0]
    return element


def is_function(element: Element) -> bool:
    return element.tag in {"mi", "mo"} and len(element.text or "") > 1 and element.text.isalpha()


def tighten(script: Element) -> None:
    """No room around operators in a subscript or superscript."""
    for operator in operators(script):
        operator.set("lspace", "0")
        operator.set("rspace", "0")


def operators(script: Element) -> Iterator[Element]:
    for part in list(script)[1:]:
        yield from (one for one in part.iter("mo") if one.text not in {",", ";"})
