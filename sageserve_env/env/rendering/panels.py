"""The dashboard's panels over time: traffic against capacity, latency against service levels, money."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env.rendering.fleet import STATE_COLOURS
from sageserve_env.env.rendering.history import DAY_S, HOUR_S, WEEKDAYS, History, clock_text, duration_text
from sageserve_env.world.schema import TIERS

INK, MUTED, RULE = "#1F2328", "#667080", "#E3E6EA"
TIER_COLOURS = ("#D55E00", "#0072B2", "#999999")
MONEY_COLOURS = ("#0072B2", "#D55E00")
"""VMs, breaches."""

TIME_STEPS_S = (60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
MOST_TICKS = 9
TTFT_RANGE_S = (0.05, 3e5)
TTFT_TICKS_S = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0)
NICE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
FIRST_SHARE = 0.5
"""Of the initial fleet at the top of the axes at first: a fleet that is held raises it with its first step, one that starts too
large and shrinks leaves room to see the traffic."""
GROWTH = 1.5
"""An axis that is too small grows by about this factor at a time, so that it seldom grows and yet fits."""


class Panel:
    """Axes whose time spans the episode, a title and a legend above them, and artists that change with every frame.

    Args:
        axis: Axes of a matplotlib figure.
        history: The episode.
        title: With the unit.
    """

    def __init__(self, axis: Any, history: History, title: str) -> None:
        self.axis = axis
        self.artists: list[Any] = []
        axis.set_xlim(0, history.horizon_s)
        axis.set_title(title, loc="left", fontsize=9, weight="bold", color=INK, pad=6)
        axis.grid(True, color=RULE, lw=0.6)
        axis.set_axisbelow(True)
        axis.tick_params(labelsize=8, labelcolor=INK, color=MUTED, length=3)
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(MUTED)
        ticks_s = time_ticks(history.horizon_s, history.week_start_s)
        axis.set_xticks(ticks_s, [""] * len(ticks_s))
        self._now = axis.axvline(0, color=MUTED, lw=0.8, animated=True)

    def label_time(self, history: History) -> None:
        """Write the clock under the time axis."""
        ticks_s = self.axis.get_xticks()
        self.axis.set_xticks(ticks_s, tick_labels(ticks_s, history.week_start_s))

    def area(self, colour: str) -> Any:
        """A filled step area, without data yet."""
        return self.add(self.axis.stairs([0.0], [0.0, 1.0], fill=True, color=colour, lw=0, animated=True))

    def line(self, colour: str, width: float, dash: Any = "-") -> Any:
        """A step line, without data yet."""
        style = {"color": colour, "lw": width, "ls": dash, "baseline": None, "animated": True}
        return self.add(self.axis.stairs([np.nan], [0.0, 1.0], **style))

    def add(self, artist: Any) -> Any:
        """Register an artist that changes."""
        self.artists.append(artist)
        return artist

    def legend(self, handles: list[Any]) -> None:
        """A legend in one row above the axes, at the right."""
        place = {"loc": "lower right", "bbox_to_anchor": (1.01, 0.97), "ncols": len(handles), "frameon": False}
        self.axis.legend(
            handles=handles, **place, fontsize=8, handlelength=1.1, columnspacing=1.1, handletextpad=0.4, labelcolor=INK
        )

    def update(self, history: History) -> bool:
        """Bring the artists up to date; returns whether an axis had to grow."""
        self._now.set_xdata([history.now_s, history.now_s])
        return self.set_series(history) if history.filled else False

    def set_series(self, history: History) -> bool:
        """As :meth:`update`, of a history that is not empty."""
        raise NotImplementedError

    def start_at(self, top: float) -> None:
        """Begin the value axis at zero, with a round number at its top."""
        self._first_top = nice_above(top)
        self.axis.set_ylim(0, self._first_top)

    def fit(self, peak: float) -> bool:
        """Raise the top of the axes in round steps until it is above a value; returns whether that changed it."""
        top = self._first_top
        while top < peak:
            top = nice_above(GROWTH * top)
        is_new = top != self.axis.get_ylim()[1]
        if is_new:
            self.axis.set_ylim(0, top)
        return is_new


class TrafficPanel(Panel):
    """Traffic by tier stacked, in instances that its prompts keep busy, against the instances that there are."""

    def __init__(self, axis: Any, history: History) -> None:
        super().__init__(axis, history, "Traffic against capacity (instances)")
        self.start_at(max(FIRST_SHARE * history.initial_instances, 1.0))
        self._starting, self._tiers = self.area(STATE_COLOURS[1]), [self.area(colour) for colour in TIER_COLOURS]
        self._active = self.line(INK, 1.6)
        self.add(self._now)
        handles = [patch(colour, tier) for colour, tier in zip(TIER_COLOURS, TIERS, strict=True)]
        self.legend([*handles, rule(INK, "active"), patch(STATE_COLOURS[1], "starting")])
        note = "a tier's traffic: its prompt tokens/s ÷ what one instance prefills"
        axis.text(0.01, 0.97, note, transform=axis.transAxes, va="top", fontsize=7.5, color=MUTED)

    def set_series(self, history: History) -> bool:
        """Stack the tiers; the fleet's lines lie on top."""
        n, edges_s = history.filled, history.edges_s()
        tops = np.cumsum(history.needed[:n], axis=1)
        for index, area in enumerate(self._tiers):
            area.set_data(tops[:, index], edges_s, tops[:, index - 1] if index else np.zeros(n))
        active, all_started = history.active[:n], history.active[:n] + history.provisioning[:n]
        self._active.set_data(active, edges_s)
        self._starting.set_data(all_started, edges_s, active)
        return self.fit(float(max(tops[:, -1].max(), all_started.max())))


class LatencyPanel(Panel):
    """Time to first token by tier on a logarithmic axis, and the service levels as dashed lines."""

    def __init__(self, axis: Any, history: History) -> None:
        super().__init__(axis, history, "TTFT P95")
        axis.set_yscale("log")
        axis.set_ylim(*TTFT_RANGE_S)
        axis.set_yticks(TTFT_TICKS_S, [duration_text(tick_s) for tick_s in TTFT_TICKS_S])
        axis.minorticks_off()
        widths = (1.4, 2.6, 1.4)
        for tier, colour in zip(history.world.tiers, TIER_COLOURS, strict=True):
            axis.axhline(tier.slo_s, color=colour, lw=1.2, ls=(0, (4, 2)))
        self._tiers = [self.line(TIER_COLOURS[index], widths[index]) for index in (2, 1, 0)][::-1]
        self.add(self._now)
        names = [level_text(tier.name, tier.slo_s) for tier in history.world.tiers]
        handles = [rule(colour, name) for colour, name in zip(TIER_COLOURS, names, strict=True)]
        self.legend([*handles, rule(MUTED, "service level", (0, (3, 1.5)))])

    def set_series(self, history: History) -> bool:
        """Draw the tiers; gaps where nothing completed."""
        for index, line in enumerate(self._tiers):
            line.set_data(np.clip(history.ttft_p95_s[: history.filled, index], *TTFT_RANGE_S), history.edges_s())
        return False


class MoneyPanel(Panel):
    """Dollars so far, VMs and breaches stacked, against what the initial fleet would cost if it were held."""

    def __init__(self, axis: Any, history: History) -> None:
        super().__init__(axis, history, "Money so far")
        held_usd = history.initial_usd_per_h * history.horizon_s / HOUR_S
        self.start_at(1.02 * held_usd if held_usd > 0 else 1.0)
        axis.yaxis.set_major_formatter(lambda usd, _: usd_text(usd))
        axis.plot([0, history.horizon_s], [0, held_usd], color=MUTED, lw=1.2, ls=(0, (4, 2)))
        self._vms, self._breaches = (self.area(colour) for colour in MONEY_COLOURS)
        self.add(self._now)
        handles = [patch(colour, name) for colour, name in zip(MONEY_COLOURS, ("VMs", "SLO breaches"), strict=True)]
        self.legend([*handles, rule(MUTED, "initial fleet held", (0, (3, 1.5)))])

    def set_series(self, history: History) -> bool:
        """Stack the breaches on the VMs."""
        n, edges_s = history.filled, history.edges_s()
        vm_usd, total_usd = history.vm_usd[:n], history.vm_usd[:n] + history.breach_usd[:n]
        self._vms.set_data(vm_usd, edges_s, np.zeros(n))
        self._breaches.set_data(total_usd, edges_s, vm_usd)
        return self.fit(float(total_usd.max()))


def patch(colour: str, label: str) -> Any:
    """A legend's handle of an area."""
    from matplotlib.patches import Patch

    return Patch(color=colour, lw=0, label=label)


def rule(colour: str, label: str, dash: Any = "-") -> Any:
    """A legend's handle of a line."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, lw=1.8, ls=dash, label=label)


def level_text(tier: str, slo_s: float) -> str:
    """A tier and its service level, which for NIW is of the completion."""
    return f"{tier} {duration_text(slo_s)}{' (to complete)' if tier == TIERS[2] else ''}"


def time_ticks(horizon_s: float, week_start_s: float) -> NDArray[np.float64]:
    """Times on round hours of the clock, seconds from the start; no more than fit.

    Example:
        >>> time_ticks(86_400.0, 3600.0) / 3600
        array([ 2.,  5.,  8., 11., 14., 17., 20., 23.])
    """
    beyond_s = DAY_S * math.ceil(horizon_s / DAY_S / MOST_TICKS)
    step_s = next((step for step in TIME_STEPS_S if horizon_s / step < MOST_TICKS), beyond_s)
    return np.arange(-week_start_s % step_s, horizon_s + 1e-6, step_s)


def tick_labels(ticks_s: NDArray[np.float64], week_start_s: float) -> list[str]:
    """Weekdays where ticks are days apart, else the time of day, with the weekday at the first and at midnight."""
    week_s = ticks_s + week_start_s
    if len(ticks_s) > 1 and ticks_s[1] - ticks_s[0] >= DAY_S:
        return [WEEKDAYS[int(at // DAY_S) % 7] for at in week_s]
    texts = [clock_text(at) for at in week_s]
    return [text if index == 0 or text.endswith("00:00") else text[4:] for index, text in enumerate(texts)]


def usd_text(usd: float) -> str:
    """Dollars on an axis.

    Example:
        >>> usd_text(0.5), usd_text(2500.0), usd_text(1.2e6)
        ('$0.5', '$2.5k', '$1.2M')
    """
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if usd >= size:
            return f"${usd / size:g}{unit}"
    return f"${usd:g}"


def nice_above(value: float) -> float:
    """The least round number that is not below a positive one.

    Example:
        >>> nice_above(96.1), nice_above(0.021)
        (100.0, 0.025)
    """
    power = 10.0 ** math.floor(math.log10(value))
    return next((digit * power for digit in NICE if digit * power >= value), 10 * power)
