"""Write the Croissant metadata of the data in the package anew: ``python docs/make_croissant.py``."""

from __future__ import annotations

import json

from sageserve_env.datasets.traces import FILE, trace_metadata
from sageserve_env.files.writing import write_text

if __name__ == "__main__":
    write_text(FILE, json.dumps(trace_metadata(), indent=1) + "\n")
