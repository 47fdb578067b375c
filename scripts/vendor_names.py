"""Make gru/datasets/data/names.tsv from Babel. Run once; kept so that anyone can check it.

    pip install --target taken babel==2.19.0
    PYTHONPATH=.:taken python scripts/vendor_names.py

Babel carries the names of the Unicode CLDR, release 49.
"""

from babel import Locale

from gru.datasets import _file
from gru.datasets.names import FILE, LANGUAGES, names

if __name__ == "__main__":
    locales = [Locale(code) for code in LANGUAGES]
    lines = ["\t".join(["concept", *LANGUAGES])]
    for kind in ("territory", "language"):
        tables = [locale.territories if kind == "territory" else locale.languages for locale in locales]
        for code in sorted({code for table in tables for code in table}):
            texts = [table.get(code, "") for table in tables]
            lines.append("\t".join([f"{kind} {code}", *(" ".join(text.split()) for text in texts)]))
    _file.write(FILE, ("\n".join(lines) + "\n").encode())
    found = names(alike=True)
    print(f"{FILE.name}: {FILE.stat().st_size} bytes, {len(lines) - 1} concepts, {sum(map(len, found[:3]))} names")
