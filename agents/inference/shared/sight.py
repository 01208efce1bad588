"""An observation in physical units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.inference.shared.demand import LEAST
from agents.inference.shared.facts import FLEET, Facts, requests
from sageserve_env.env.observation.encode import DAY_S, HOUR_S

Reals = NDArray[np.float64]

AGE_S = 6 * HOUR_S


@dataclass
class Sight:
    """An observation of E environments in physical units.

    Attributes:
        bins: Interval of the day, shape (E,).
        held, short: Targets of streams, and those of them that wait for VMs, shape (E, R, S).
        active: Active VMs of a stream in all regions, shape (E, S).
        warm: Active and spot VMs of a stream that hold its model, in all regions, shape (E, S).
        interactive, batch: Arrivals of the last interval in instances' worth, shape (E, R, M).
        missed: Share of IW-F that missed its level, shape (E, M).
        waiting: Interactive requests, shape (E, M).
        busy: Utilization, mean over active instances, shape (E, M).
        oldest: Age of the oldest queued NIW over six hours, shape (E, M).
        price: Of a stream's VMs by region over the mean, shape (E, R, S).
    """

    bins: NDArray[np.int64]
    held: Reals
    short: Reals
    active: Reals
    warm: Reals
    interactive: Reals
    batch: Reals
    missed: Reals
    waiting: Reals
    busy: Reals
    oldest: Reals
    price: Reals


def see(facts: Facts, seen: Reals) -> Sight:
    """The sight of flat observations, shape (E, O)."""
    places = facts.places
    models, kinds = facts.streams
    arrivals = seen[:, places["arrivals"]] * (facts.rate_scale / facts.worth)[None, :, :, None]
    fleet = {name: np.rint(seen[:, places[name]] * facts.vms[None, :, None, :]) for name in FLEET}
    held = fleet["target"][:, :, models, kinds]
    there = (fleet["active"] + fleet["provisioning"])[:, :, models, kinds]
    active = fleet["active"].sum(axis=3)
    fast = arrivals[..., 0] + LEAST
    sine, cosine = seen[:, places["clock"]].T
    steps = facts.calendar.shape[2]
    day = np.arctan2(sine, cosine) / (2.0 * np.pi) % 1.0
    price = np.ones((1, 1, 1)) if "price" not in places else seen[:, places["price"]][:, :, None]
    return Sight(
        bins=np.rint(day * steps).astype(np.int64) % steps,
        held=held,
        short=np.maximum(held - there, 0.0),
        active=fleet["active"][:, :, models, kinds].sum(axis=1),
        warm=(fleet["active"] + fleet["spot_same_model"])[:, :, models, kinds].sum(axis=1),
        interactive=arrivals[..., 0] + arrivals[..., 1],
        batch=arrivals[..., 2],
        missed=((1.0 - seen[:, places["attainment"]]) * fast).sum(axis=1) / fast.sum(axis=1),
        waiting=requests(seen[:, places["waiting"]]).sum(axis=(1, 3)),
        busy=(seen[:, places["utilization"]] * active).sum(axis=1) / np.maximum(active.sum(axis=1), 1.0),
        oldest=seen[:, places["oldest"]].max(axis=1) * (DAY_S / AGE_S),
        price=facts.list_price[None] * price,
    )
