"""What forecasts demand: the interface that the environments need, and the forecasters that installed packages offer by name."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from numpy.typing import ArrayLike, NDArray

from sageserve_env.errors import InputError

GROUP = "sageserve.forecasters"
"""Entry points of this group are forecasters: classes, or functions that return a forecaster, that need no argument."""


class HourForecast(Protocol):
    """The coming hour: S series, H windows.

    Attributes:
        point: Input tokens/s, shape (S, H).
    """

    @property
    def point(self) -> NDArray[Any]:
        """Input tokens/s, shape (S, H)."""
        ...


class Forecaster(Protocol):
    """Predicts the next hour from the history alone, so that the same history always gives the same forecast.

    One that treats each series by itself may say so by ``is_by_series = True``, and then gets those of many environments at once.
    """

    def forecast(self, history: ArrayLike, window_s: float) -> HourForecast:
        """Predict the hour that follows the history.

        Args:
            history: Input tokens/s in each window up to now, oldest first, shape (S, n) with n >= 1.
            window_s: Length of a window in seconds; divides an hour.
        """
        ...


def installed_forecasters() -> dict[str, EntryPoint]:
    """Entry points of the forecasters of every installed package, by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def load_forecaster(name: str) -> Forecaster:
    """A new forecaster by its name.

    Args:
        name: Name of an entry point of the group ``sageserve.forecasters``, e.g. ``"seasonal-naive"``.

    Raises:
        InputError: No such forecaster, or a package that it needs is missing.
    """
    known = installed_forecasters()
    if name not in known:
        nearest = get_close_matches(name, known, n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        raise InputError(f"forecaster = '{name}' is not known{hint}; known: {', '.join(known) or 'none: install the package'}")
    try:
        forecaster: Forecaster = known[name].load()()
    except ImportError as error:
        raise InputError(f"forecaster = '{name}' cannot be loaded ({error}); install what it needs") from None
    return forecaster


def as_forecaster(forecaster: str | Forecaster) -> Forecaster:
    """A forecaster by name, or the object itself.

    Raises:
        InputError: There is no forecaster of that name, or the object is none.
    """
    if isinstance(forecaster, str):
        return load_forecaster(forecaster)
    if not callable(getattr(forecaster, "forecast", None)):
        raise InputError(f"forecaster = {forecaster!r} cannot forecast; give a name or an object with forecast(history, window_s)")
    return forecaster
