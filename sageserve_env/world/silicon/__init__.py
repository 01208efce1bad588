"""Measured serving of today's engines: what was measured, and iteration models fitted to it."""

from sageserve_env.world.silicon.fit import Fit, fit_groups
from sageserve_env.world.silicon.fits_file import SHIPPED_FITS, dump_fits, dump_profiles, read_fits
from sageserve_env.world.silicon.runs import SHIPPED_RUNS, Deployment, Group, read_groups

__all__ = [
    "SHIPPED_FITS",
    "SHIPPED_RUNS",
    "Deployment",
    "Fit",
    "Group",
    "dump_fits",
    "dump_profiles",
    "fit_groups",
    "read_fits",
    "read_groups",
]
