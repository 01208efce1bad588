"""A tiny problem whose best policy is known: an hour of Mini in which nothing arrives that has to be served in it."""

from __future__ import annotations

from agents.training.algorithms import ALGORITHMS
from agents.training.settings import settings_of
from agents.training.train import Plan

TRACE = """arrival_s,model,region,tier,prompt_tokens,output_tokens
3590,qwen3-32b,westus,NIW,9,2
3601,qwen3-32b,westus,NIW,9,2
"""

VM_STEP_USD = 12.29 / 12

BEST_USD = {"target": 0.0, "delta": 3 * VM_STEP_USD, "discrete": (7 + 5 + 3 + 2 + 1) * VM_STEP_USD}
"""Of nine instances none is needed: all go at once; all but one of each endpoint, then the last; one endpoint after the other."""

RANDOM_USD = {"target": 230.0, "delta": 147.0, "discrete": 158.0}
"""Of random actions, measured."""

ON_POLICY = {"n_steps": 12, "batch_size": 96, "n_epochs": 4}
OFF_POLICY = {"learning_starts": 96, "batch_size": 64, "gradient_steps": 4, "buffer_size": 2000}
MODES = {
    "ppo": ("target", ON_POLICY),
    "maskable-ppo": ("delta", ON_POLICY),
    "recurrent-ppo": ("delta", {**ON_POLICY, "policy_kwargs": {"lstm_hidden_size": 16}}),
    "sac": ("target", {**OFF_POLICY, "ent_coef": 0.01}),
    "tqc": ("target", {**OFF_POLICY, "ent_coef": 0.01}),
    "dqn": ("discrete", {**OFF_POLICY, "target_update_interval": 100, "exploration_fraction": 0.3}),
}


def tiny_plan(folder, algo, steps, seed=0, **changed):
    """A training of an algorithm on the tiny problem."""
    trace = folder / "trace.csv"
    if not trace.exists():
        trace.write_text(TRACE)
    mode, arguments = MODES[algo]
    values = {
        "environment": {"workload": str(trace), "horizon_s": 3600.0, "action_mode": mode},
        "n_envs": 8,
        "layers": [32],
        "learning_rate": 3e-3,
        "final_learning_rate": 3e-3,
        "algorithm": {**arguments, "gamma": 0.9},
        "evaluate_every": 10_000,
        "checkpoint_every": 96,
    }
    return Plan(algo, "mini", seed, steps, settings_of(values | changed, ALGORITHMS[algo]), num_threads=1)
