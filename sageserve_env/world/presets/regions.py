"""The three regions of every preset, and the latency between them. [C] is the authors' code, [A] an assumption of this package."""

from __future__ import annotations

REGIONS = ("westus", "centralus", "eastus")
"""[C]"""

LATENCY_S = (
    (0.006, 0.043, 0.072),
    (0.043, 0.004, 0.031),
    (0.069, 0.031, 0.003),
)
"""One-way medians, origin by destination, in the order of ``REGIONS``. [C]; from centralus [A]: symmetric."""
