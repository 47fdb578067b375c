"""The two time series: complete, exact, and honest about damage and gaps."""

import re
from datetime import date

import pytest
import torch
from damage import damaged

from gru.datasets import co2, el_nino, fill_gaps, windows
from gru.datasets.time_series import CO2, EL_NINO, _read_co2, _read_el_nino

NAN = float("nan")


def test_el_nino_is_the_original():
    series = el_nino()
    assert (series.values.shape, series.values.dtype, series.season) == ((732,), torch.float32, 12)
    assert series.values[:3].tolist() == pytest.approx([23.11, 24.20, 25.37])
    assert series.values[-12:].tolist() == pytest.approx(
        [24.70, 26.16, 26.54, 26.04, 24.75, 23.26, 21.11, 19.49, 19.28, 19.73, 20.44, 22.07]
    )
    assert (series.dates[0], series.dates[-1]) == (date(1950, 1, 1), date(2010, 12, 1))


def test_co2_is_the_original_with_its_gaps():
    series = co2()
    assert (len(series.values), len(series.dates), series.season) == (2284, 2284, 52)
    assert int(series.values.isnan().sum()) == 59
    assert series.values[:2].tolist() == pytest.approx([316.1, 317.3])
    assert (series.dates[0], series.dates[-1]) == (date(1958, 3, 29), date(2001, 12, 29))
    assert series.values[-1].item() == pytest.approx(371.5)


def change_line(number, old, new):
    def change(content: bytes) -> bytes:
        lines = content.decode().split("\n")
        assert old in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old, new)
        return "\n".join(lines).encode()

    return change


@pytest.mark.parametrize(
    ("file", "read", "change", "message"),
    [
        (EL_NINO, _read_el_nino, lambda c: c[:1000], "expected a line break at the end, got none"),
        (EL_NINO, _read_el_nino, lambda c: b"", "expected the header 'YEAR,JAN"),
        (EL_NINO, _read_el_nino, lambda c: b"\x89PNG\r\n\x1a\n", "expected text in UTF-8, got 8 bytes"),
        (EL_NINO, _read_el_nino, lambda c: c[: c.rindex(b"2010")], "expected 61 lines below the header, got 60"),
        (
            EL_NINO,
            _read_el_nino,
            change_line(2, "23.110", "nan"),
            "line 2, JAN: expected a number from 15 to 32, got nan",
        ),
        (EL_NINO, _read_el_nino, change_line(2, "23.110", ""), "line 2, JAN: expected a number, got ''"),
        (
            EL_NINO,
            _read_el_nino,
            change_line(3, "25.600", "256.00"),
            "line 3, MAR: expected a number from 15 to 32, got 256",
        ),
        (EL_NINO, _read_el_nino, change_line(3, "1951", "1952"), "line 3: expected the year 1951, got '1952'"),
        (EL_NINO, _read_el_nino, change_line(3, ",24.190", ""), "line 3: expected 13 columns, got 12"),
        (EL_NINO, _read_el_nino, change_line(3, "24.190", "24.191"), "checksum: expected SHA-256"),
        (CO2, _read_co2, change_line(2, "316.1", "inf"), "line 2: expected a number from 300 to 380, got inf"),
        (CO2, _read_co2, change_line(2, "316.1", "high"), "line 2: expected a number, got 'high'"),
        (
            CO2,
            _read_co2,
            change_line(3, "1958-04-05", "1958-04-06"),
            "line 3: expected the week 1958-04-05, got '1958-04-06'",
        ),
        (CO2, _read_co2, lambda c: EL_NINO.read_bytes(), "expected the header 'week,co2', got 'YEAR,JAN"),
        (CO2, _read_co2, change_line(2, "316.1", ""), "checksum: expected SHA-256"),
    ],
)
def test_each_kind_of_damage_is_named(tmp_path, file, read, change, message):
    with pytest.raises(
        ValueError, match=rf"{file.name} is damaged: {re.escape(message)}.*vendor_time_series"
    ) as caught:
        read(damaged(tmp_path, file, change))
    assert str(caught.value).count("is damaged") == 1


def test_gaps_are_bridged_by_straight_lines_and_nothing_else_changes():
    series = co2()
    filled = fill_gaps(series.values)
    known = ~series.values.isnan()
    assert torch.equal(filled[known], series.values[known])
    assert filled.isfinite().all()
    torch.testing.assert_close(
        fill_gaps(torch.tensor([2.0, NAN, 4.0, 5.0, NAN, NAN, NAN, 1.0], dtype=torch.float64)),
        torch.tensor([2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0], dtype=torch.float64),
        rtol=0,
        atol=0,
    )


@pytest.mark.parametrize(("values", "end"), [([NAN, 1.0], "first"), ([1.0, NAN], "last"), ([NAN], "first")])
def test_a_gap_at_an_end_has_no_second_neighbour(values, end):
    with pytest.raises(ValueError, match=f"both ends, got a gap as the {end} one"):
        fill_gaps(torch.tensor(values))


def test_windows_are_every_stretch_with_what_follows():
    values = torch.arange(10.0)
    months = torch.stack([values * 10, values * 100], 1)
    x, y = windows(values, 4, 2, months)
    assert (x.shape, y.shape) == ((4, 5, 3), (5, 2))
    for n in range(5):
        assert x[:, n, 0].tolist() == [n, n + 1, n + 2, n + 3]
        assert x[:, n, 2].tolist() == [100 * n, 100 * (n + 1), 100 * (n + 2), 100 * (n + 3)]
        assert y[n].tolist() == [n + 4, n + 5]


def test_bad_windows():
    values = torch.arange(10.0)
    gap = values.clone()
    gap[3] = NAN
    cases = [
        ((gap, 4, 2), ValueError, "values: expected finite numbers, got nan at 3; see fill_gaps"),
        ((values, 9, 2), ValueError, "values: expected at least context + horizon = 11, got 10"),
        ((values, 0, 2), ValueError, "context must be greater than zero"),
        ((values, 4, 2.0), TypeError, "horizon should be of type int"),
        ((values.unsqueeze(1), 4, 2), ValueError, "values: expected floating-point numbers (S,), got"),
        ((values.long(), 4, 2), ValueError, "values: expected floating-point numbers (S,), got torch.int64"),
        (([1.0], 4, 2), TypeError, "values: expected a Tensor, got list"),
        ((values[:0], 4, 2), ValueError, "got torch.float32 (0,)"),
        ((values, 4, 2, values), ValueError, "covariates: expected shape (10, K), one row per value, got (10,)"),
    ]
    for arguments, kind, message in cases:
        with pytest.raises(kind, match=re.escape(message)):
            windows(*arguments)
