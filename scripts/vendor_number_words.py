"""Make gru/datasets/data/number_words.bz2 from num2words. Run once; kept so that anyone can check it.

    pip install --target taken num2words==0.5.14
    PYTHONPATH=.:taken python scripts/vendor_number_words.py

num2words is under the LGPL; what it says, "twenty-one", is not its code, and only that is taken.
"""

import bz2

from num2words import num2words

from gru.datasets import _file
from gru.datasets.number_words import COUNT, FILE, LANGUAGES, number_words

if __name__ == "__main__":
    lines = ["\t".join(["number", *LANGUAGES])]
    lines += ["\t".join([str(n), *(num2words(n, lang=code) for code in LANGUAGES)]) for n in range(COUNT)]
    _file.write(FILE, bz2.compress(("\n".join(lines) + "\n").encode()))
    print(f"{FILE.name}: {FILE.stat().st_size} bytes; 97: {[words[97] for words in number_words().words.values()]}")
