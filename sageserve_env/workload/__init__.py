"""What arrives: recorded traces and calibrated generators, both as streams of requests in order of arrival.

Take a workload from :func:`load_workload` by name or path, or build one (:class:`O365Week`, :class:`Trace`, :func:`azure2024`,
:func:`servegen`, :func:`o365_june`, :class:`IntensityWorkload`), change it with its methods (``scale``, ``slice``, ``shift``,
``burst``, ``tier_mix``, ``model_mix``, ``noise``), and play it with ``stream(world, seed)``.
"""

from sageserve_env.workload.catalog import CATALOG, load_workload
from sageserve_env.workload.describe import Description, describe
from sageserve_env.workload.drawn.generated import GeneratedStream, IntensityWorkload, Tables
from sageserve_env.workload.drawn.intensity import Intensity, Series
from sageserve_env.workload.drawn.sizes import size_table
from sageserve_env.workload.figures import plot_rates
from sageserve_env.workload.mapping import Mapping
from sageserve_env.workload.request import REQUEST_DTYPE, Chunk, Stream, Workload, preference_orders
from sageserve_env.workload.sources.azure2024 import azure2024
from sageserve_env.workload.sources.o365 import SCALE_2025, O365Week
from sageserve_env.workload.sources.o365_june import o365_june
from sageserve_env.workload.sources.servegen import servegen
from sageserve_env.workload.traces.trace import Trace
from sageserve_env.workload.traces.writer import write_trace
from sageserve_env.workload.transforms.compose import Composable, Transformed

__all__ = [
    "CATALOG",
    "REQUEST_DTYPE",
    "SCALE_2025",
    "Chunk",
    "Composable",
    "Description",
    "GeneratedStream",
    "Intensity",
    "IntensityWorkload",
    "Mapping",
    "O365Week",
    "Series",
    "Stream",
    "Tables",
    "Trace",
    "Transformed",
    "Workload",
    "azure2024",
    "describe",
    "load_workload",
    "o365_june",
    "plot_rates",
    "preference_orders",
    "servegen",
    "size_table",
    "write_trace",
]
