"""Make the book's fonts, book/_static/fonts, out of four open families. Kept so that anyone can do it again.

    npm install --ignore-scripts --prefix FOLDER @fontsource/stix-two-text@5.3.0 @fontsource/stix-two-math@5.3.0 \\
        @ibm/plex-sans@1.1.0 @ibm/plex-mono@2.5.0
    pip install fonttools brotli
    python scripts/make_fonts.py FOLDER/node_modules

STIX Two Text and STIX Two Math for text and formulas, IBM Plex Sans and Mono for what stands around them and for
code; all under the SIL Open Font License. Each is cut down to the characters below, so that a page loads 250 kB at most
instead of several megabytes. A changed Plex may not be called Plex (a reserved name): the four have names of this book.
"""

import sys
from io import BytesIO
from pathlib import Path

from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

TARGET = Path(__file__).parents[1] / "book" / "_static" / "fonts"
STIX, PLEX = "@fontsource/stix-two-", "@ibm/plex-"
LATIN = [*range(0x20, 0x7F), *range(0xA0, 0x180)]  # every language that writes its words in such letters, nearly
GREEK = [*range(0x391, 0x3A2), *range(0x3A3, 0x3CA), 0x3D5, 0x3F5]
MARKS = [ord(mark) for mark in "\u2002\u2009‐‑‒–—‘’‚“”„†•…′″‹›€−∞√∂∑≈≠≤≥±×÷·°←↑→↓✓✗⊙"]
SMALL = [ord(mark) for mark in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵇᵏⁿ₀₁₂₃₄₅₆₇₈₉₊₋"]
SHAPES = [*range(0x2581, 0x2589), *map(ord, "▶◀◇◆○●■□")]
TEXT = [*LATIN, *GREEK, *MARKS, *SMALL, *SHAPES]
# Formulas: letters upright, italic, bold, double and script; operators, relations, arrows, and what grows.
LETTERS = [*range(0x20, 0x7F), *GREEK, *range(0x1D400, 0x1D468), *range(0x1D6A4, 0x1D6A6), *range(0x1D6FC, 0x1D71C)]
OPERATORS = [ord(mark) for mark in "¬°±·×÷′″‖…⁄ℎℓℝ←↑→↓↦⇒⇔⟶∂∇∈∉∏∑−∓∗∘√∝∞∣∥∧∨∩∪∫∼≈≔≠≡≤≥≪≫⊂⊕⊗⊙⊤⊥⋅⋮⋯⋱⌈⌉⌊⌋⎵⏞⏟⏠⏡⟨⟩^~_"]
OPERATORS += [*range(0x2061, 0x2065), 0xAF, 0x2C6, 0x2C9, 0x2DC, 0x302, 0x303, 0x304, 0x20D7]  # unseen ones, accents

# file: (name, style, where it is from, characters). Several sources: one family that comes in parts.
FACES = {
    f"text-{style}": (
        "Book Text",
        style,
        [f"{STIX}text/files/stix-two-text-{part}-{wanted}" for part in ("latin", "latin-ext", "greek")],
        TEXT,
    )
    for style, wanted in (("regular", "400-normal"), ("italic", "400-italic"), ("bold", "600-normal"))
}
for kind in ("Sans", "Mono"):
    for style, wanted in (("regular", "Regular"), ("bold", "SemiBold")):
        origin = f"{PLEX}{kind.lower()}/fonts/complete/woff2/IBMPlex{kind}-{wanted}"
        FACES[f"{kind.lower()}-{style}"] = (f"Book {kind}", style, [origin], TEXT)
MATHS = [*LETTERS, *OPERATORS, *MARKS, *SMALL, *SHAPES]  # it also stands in where the others lack a sign
FACES["math"] = ("Book Math", "regular", [f"{STIX}math/files/stix-two-math-latin-400-normal"], MATHS)
FEATURES = {"kern", "mark", "mkmk", "ccmp", "locl", "liga", "lnum", "tnum", "rvrn", "ssty", "dtls", "math"}
LICENCES = {
    "STIX.txt": f"{STIX}text/LICENSE",
    "STIX-Math.txt": f"{STIX}math/LICENSE",
    "Plex.txt": f"{PLEX}sans/LICENSE.txt",
}


def subset(path: Path, characters: list[int]) -> TTFont:
    """The font with these of its characters, and what they need."""
    font = TTFont(path)
    options = Options(layout_features=sorted(FEATURES), hinting=False, notdef_outline=True, name_IDs=["*"])
    cutter = Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    return font


def joined(fonts: list[TTFont]) -> TTFont:
    if len(fonts) == 1:
        return fonts[0]
    files = []
    for font in fonts:
        font.flavor = None
        files.append(BytesIO())
        font.save(files[-1])
        files[-1].seek(0)
    return Merger().merge(files)


def rename(font: TTFont, name: str, style: str) -> None:
    """Names of this book; copyright and licence stay as they are."""
    kept = {0, 13, 14}
    names = font["name"]
    names.names = [entry for entry in names.names if entry.nameID in kept]
    for number, text in {
        1: name,
        2: style.title(),
        4: f"{name} {style}",
        6: f"{name}-{style}".replace(" ", ""),
    }.items():
        names.setName(text, number, 3, 1, 0x409)


def main(source: Path) -> None:
    TARGET.mkdir(exist_ok=True)
    whole = 0
    for file, (name, style, origins, characters) in FACES.items():
        font = joined([subset(source / f"{origin}.woff2", characters) for origin in origins])
        rename(font, name, style)
        font.flavor, font.recalcTimestamp = "woff2", False
        font["head"].created = font["head"].modified = 0  # the same files each time
        font.save(TARGET / f"{file}.woff2")
        size = (TARGET / f"{file}.woff2").stat().st_size
        whole += size
        missing = "".join(chr(one) for one in characters if one not in font.getBestCmap())
        print(f"{file:14} {size / 1000:6.1f} kB, without {missing}")
    print(f"{'all':14} {whole / 1000:6.1f} kB")
    for file, origin in LICENCES.items():
        (TARGET / file).write_bytes((source / origin).read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
