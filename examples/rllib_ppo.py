"""PPO of RLlib (new API stack) on one machine or on a cluster of Ray: ``python examples/rllib_ppo.py --runners 2 --iterations 20``.

The settings are those of ``agents/configs/maskable-ppo.yaml``, without masks. Each runner steps a native vector of environments. A
runner that dies, with its process or its machine, is started again, and the others go on meanwhile.
"""

from __future__ import annotations

import argparse
from typing import Any

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.env_to_module import MeanStdFilter

ENVS_OF_RUNNER = 16
STEPS = 144
"""Of each environment between two updates."""


def ppo_config(env_id: str, runners: int, **environment: Any) -> PPOConfig:
    """Settings of PPO.

    Args:
        env_id: Such as ``"SageServe/Mini-v0"``.
        runners: Processes that play.
        **environment: Further arguments of the environment.
    """
    env_config = {"split": "train", "action_mode": "delta", "max_delta": 1, "forecaster": "recurring", **environment}
    config = PPOConfig().environment(f"sageserve_env:{env_id}", env_config=env_config)
    config.env_runners(
        num_env_runners=runners,
        num_envs_per_env_runner=ENVS_OF_RUNNER,
        gym_env_vectorize_mode="vector_entry_point",
        sample_timeout_s=600.0,  # the first steps in a fresh installation wait for the simulator to be compiled
        env_to_module_connector=lambda env=None, spaces=None, device=None: MeanStdFilter(),
    )
    config.training(
        lr=6e-4,
        gamma=0.99,
        lambda_=0.95,
        entropy_coeff=0.001,
        num_epochs=6,
        train_batch_size_per_learner=ENVS_OF_RUNNER * STEPS * max(runners, 1),
        minibatch_size=576,
    )
    config.fault_tolerance(restart_failed_env_runners=True, delay_between_env_runner_restarts_s=5.0)
    return config


def main() -> None:
    """Train, and print the mean return of each iteration."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--env", default="SageServe/Mini-v0")
    parser.add_argument("--runners", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--address", help="of a cluster's head, 'auto' on a machine of it; without it, this machine alone")
    parser.add_argument("--checkpoint", help="folder that the algorithm is saved in at the end")
    arguments = parser.parse_args()
    ray.init(address=arguments.address)
    algo = ppo_config(arguments.env, arguments.runners).build_algo()
    for iteration in range(arguments.iterations):
        told = algo.train()["env_runners"]
        print(iteration, told["num_env_steps_sampled_lifetime"], told.get("episode_return_mean"), flush=True)
    if arguments.checkpoint:
        print(algo.save_to_path(arguments.checkpoint))
    algo.stop()


if __name__ == "__main__":
    main()
