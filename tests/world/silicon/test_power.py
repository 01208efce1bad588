import numpy as np
import pytest

from sageserve_env.errors import InputError
from sageserve_env.world.silicon.power import LABELS, SHIPPED_POWER_FITS, dump_power_fits, fit_power, read_power_fits
from tests.cli.helpers import sageserve

HEAD = ",".join([*LABELS, "batch", "power_w"])


def file_of(path, noise=0.0, batches=16, spoil=False):
    """Power of 400 W and half of 300 W more at a batch of 32."""
    rng = np.random.default_rng(0)
    batch = np.arange(1, batches + 1) * 12.0
    power_w = (400 + 300 * batch / (batch + 32)) * np.exp(noise * rng.normal(size=batches))
    if spoil:
        power_w[1::4] = 1e6
    rows = [f"m,chat,fp8,H100,1,1,1,1,{n},{w}" for n, w in zip(batch, power_w, strict=True)]
    path.write_text("\n".join([HEAD, *reversed(rows), ""]))
    return path


def test_exact_power_gives_the_parameters_back(tmp_path):
    (fit,) = fit_power(file_of(tmp_path / "power.csv"))
    assert (fit.base_w, fit.span_w, fit.half_batch) == (pytest.approx(400, rel=1e-4), pytest.approx(300, rel=1e-4), 32)
    assert fit.watts(32.0) == pytest.approx(550, rel=1e-4)
    assert (fit.rows, fit.held_out_rows) == (12, 4)


def test_noisy_power(tmp_path):
    (fit,) = fit_power(file_of(tmp_path / "power.csv", noise=0.01))
    np.testing.assert_allclose(fit.watts([12, 64, 192]), 400 + 300 * np.array([12, 64, 192]) / np.array([44, 96, 224]), rtol=0.02)


def test_no_fit_sees_what_is_held_out(tmp_path):
    (clean,) = fit_power(file_of(tmp_path / "clean.csv", noise=0.01))
    (spoiled,) = fit_power(file_of(tmp_path / "spoiled.csv", noise=0.01, spoil=True))
    assert (clean.base_w, clean.span_w, clean.half_batch) == (spoiled.base_w, spoiled.span_w, spoiled.half_batch)
    assert spoiled.error_held_out > 0.9 > clean.error_held_out


def test_the_shipped_fits_are_what_the_shipped_runs_give():
    fits = fit_power()
    assert dump_power_fits(fits) == SHIPPED_POWER_FITS.read_text(encoding="utf-8")
    assert dump_power_fits(read_power_fits()) == dump_power_fits(fits)
    assert np.median([fit.error_held_out for fit in fits]) < 0.05


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("m,chat,fp8,H100,1,1,1,1,0,100", "batch = '0' is out of range"),
        ("m,chat,fp8,H100,1,1,1,1,8,-1", "power_w = '-1' is out of range"),
        ("m,chat,fp8,H100,1,1,1,1,8,100", "no series has the 6 batch sizes"),
    ],
)
def test_bad_files(tmp_path, row, text):
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEAD}\n{row}\n")
    with pytest.raises(InputError, match=text):
        fit_power(path)


def test_the_command(capsys, tmp_path):
    table = tmp_path / "fits.csv"
    ran = sageserve(capsys, "world", "power", file_of(tmp_path / "power.csv"), "--table", table)
    assert ran.status == 0
    assert "m chat fp8 1 x H100" in ran.out
    assert len(read_power_fits(table)) == 1
