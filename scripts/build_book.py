"""Build the book, as `jupyter-book build` does, without what makes that slow to start: `make book`.

    python scripts/build_book.py --quiet . -W --keep-going      takes what `jupyter-book build` takes

A rebuild after an edit of a page spends more time on getting ready than on the page. jsonschema, with which Jupyter
Book reads _config.yml, makes 38 parsers of URLs if rfc3987_syntax is there (JupyterLab brings it), and needs
none of them here. The garbage collector goes through a million objects of Sphinx again and again, nearly all of which
stay.
"""

import gc
import sys

sys.modules["rfc3987_syntax"] = None  # an import of it fails, which jsonschema takes for not installed
gc.set_threshold(200_000, 20, 20)

if __name__ == "__main__":
    from jupyter_book.cli.main import main

    sys.argv[1:1] = ["build"]
    main()
