"""Make gru/datasets/data/el_nino.csv and co2.csv from statsmodels. Run once; kept so that anyone can check them.

    pip install --no-deps --target taken statsmodels==0.15.0
    python scripts/vendor_time_series.py taken

The values stay as they are written there. The CO2 file's dates become ISO dates, so that a slip in one shows.
"""

import argparse
import csv
from pathlib import Path

from gru.datasets import _file
from gru.datasets.time_series import CO2, EL_NINO, co2, el_nino


def el_nino_csv(text: str) -> str:
    """One line per year: the year, and twelve values."""
    header, *rows = csv.reader(text.splitlines())
    lines = [",".join(name.strip() for name in header)]
    lines += [",".join([str(int(float(row[0]))), *(cell.strip() for cell in row[1:])]) for row in rows]
    return "\n".join(lines) + "\n"


def co2_csv(text: str) -> str:
    """One line per week: its date and its value, which is empty in a gap."""
    _, *rows = csv.reader(text.splitlines())
    lines = ["week,co2"]
    for day, value in rows:
        lines.append(f"{day[:4]}-{day[4:6]}-{day[6:8]},{value.strip()}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, help="where statsmodels was installed")
    datasets = arguments.parse_args().folder / "statsmodels" / "datasets"
    _file.write(EL_NINO, el_nino_csv((datasets / "elnino" / "elnino.csv").read_text()).encode())
    _file.write(CO2, co2_csv((datasets / "co2" / "co2.csv").read_text()).encode())
    for path, series in ((EL_NINO, el_nino()), (CO2, co2())):
        print(f"{path.name}: {path.stat().st_size} bytes, {len(series.values)} values")
