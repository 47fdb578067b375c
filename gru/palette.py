"""One colour per quantity, the same in prose, equations, figures and views.

The hues are those of Okabe and Ito (*Color Universal Design*, 2008): vermillion, blue, bluish green and
reddish purple. Each comes twice, darker for light pages and lighter for dark ones, so that text in it
has a contrast of at least 4.5 : 1 against the page. Colour is never the only carrier of meaning: every
use stands beside the letter it belongs to.
"""

from typing import NamedTuple


class Colour(NamedTuple):
    """One quantity's colour, as hexadecimal RGB for a light and for a dark page."""

    light: str
    dark: str


COLOURS = {
    "r": Colour("#b84a00", "#ff8a3d"),  # reset gate
    "z": Colour("#0067a3", "#5ab4f0"),  # update gate
    "n": Colour("#007a5a", "#2fc79a"),  # candidate
    "h": Colour("#a03f78", "#e69cc4"),  # state
    "x": Colour("#5f6368", "#a9b0b8"),  # input
}

# What is not a quantity: text, quieter text, lines, values below zero, the ground of a drawing, and the page.
NEUTRAL = {
    "ink": Colour("#1f2328", "#e6e9ed"),
    "muted": Colour("#575d64", "#a9b0b8"),
    "line": Colour("#d0d4d9", "#454d57"),
    "below": Colour("#4d535a", "#b4bbc3"),
    "ground": Colour("#f2f3f5", "#20262e"),
    "page": Colour("#ffffff", "#14181e"),
}
