"""Why figures of ours differ from the paper's, as far as was looked into; shown beside rows that disagree."""

from __future__ import annotations

from baselines.reproduction.lab import Setting
from baselines.reproduction.rows import DIFFERS, SIZE_DIFFERS, UNEXPLAINED, Row

CUT = "the run is cut down, so sizes are not comparable"

VOLUME = (
    "volume: the authors sampled each model's trace to 1.8 M requests a week, and the paper's own peak is heavier; at twice the "
    "volume the hours are the paper's (load/x2)"
)
IDLE = (
    "volume: on this Monday Llama-2-70B has about a quarter of its Thursday's tokens, which two instances a region serve idly; the "
    "paper's first day takes 0.83 of its peak day's hours, so it was busier"
)
FIRST_HOUR = (
    "two instances a region are both fleets' least from the second hour on; in the first, with no past to forecast from, the "
    "long-term strategies hold the 8 that they start with"
)
NO_WASTE = "volume: reactive scaling has nothing to scale out on this day, so there is no waste to lower; see load/x2"
REACTIVE_TTFT = (
    "the authors' simulator adds a second to every TTFT and scales at 50 and 25 %; the rest of the difference was not separated"
)
PLANNED_TTFT = (
    "theta: a fleet planned at saturation has TTFT in proportion to how near it comes, so a little of theta moves it much (rows of "
    "theta: the other reading gives 1.1 and 1.2 s); and the authors' long-term runs do not route between regions"
)
FEWER_HOURS = "theta at saturation gives the least fleet that serves the traffic; a lower theta gives more hours and shorter TTFT"
NEAR_LEAST = "volume: the saving is bounded by the least fleet of 2 a region, and this is nearly all of it (rows bound of load)"
DONATED = (
    "here every VM that serves nobody is donated, so the difference is all the instance-hours saved; the paper's is far less than "
    "its own saving in hours, and it does not say how it counts"
)
FORECAST = (
    "the threshold does nothing here: the mean traffic of 5 minutes does not come to so many times the hour's highest forecast; "
    "the authors' code compares other spans (inferred from equal results at several thresholds, not traced)"
)
UNATTAINABLE = (
    "some of Llama-2-70B's IW-F prompts take over a second to prefill on an idle instance, so no order meets their level; "
    "and the paper's load and length are not known"
)
BURSTS = (
    "by its rule: the bursts come in the first minute of an hour, and lt-ua passes its target in the last twenty only; the half "
    "minute between lt-ua and lt-u was not separated"
)

CAUSES: dict[str, str] = {
    "strategies/o365-thursday": VOLUME,
    "strategies/o365-day": IDLE,
    "strategies/o365-day/lt-i/hours-change": FIRST_HOUR,
    "strategies/o365-day/lt-u/hours-change": FIRST_HOUR,
    "strategies/o365-day/lt-ua/hours-change": FIRST_HOUR,
    "strategies/o365-day/lt-i/waste-change": NO_WASTE,
    "strategies/o365-day/lt-u/waste-change": NO_WASTE,
    "strategies/o365-day/lt-ua/waste-change": NO_WASTE,
    "load/x2/reactive/ttft": REACTIVE_TTFT,
    "load/x2/lt": FEWER_HOURS,
    "load/x2/lt-i/ttft": PLANNED_TTFT,
    "load/x2/lt-u/ttft": PLANNED_TTFT,
    "load/x2/lt-ua/ttft": PLANNED_TTFT,
    "unified/donated": DONATED,
    "mix": NEAR_LEAST,
    "bursts": BURSTS,
    "admission": UNATTAINABLE,
    "thresholds": FORECAST,
}
"""By the beginning of a row's name; the longest that fits counts."""


def cause_of(row: Row, setting: Setting) -> str:
    """The cause of a disagreement; empty where there is none."""
    if row.agrees not in (DIFFERS, SIZE_DIFFERS):
        return ""
    if not setting.is_full:
        return CUT
    fitting = [key for key in CAUSES if row.row.startswith(key)]
    return CAUSES[max(fitting, key=len)] if fitting else UNEXPLAINED
