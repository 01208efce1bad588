"""RL Baselines3 Zoo: its trainer, with a hyperparameter file of one's own."""

import subprocess
import sys

import pytest

SETTINGS = """\
SageServe/Mini-v0:
  n_envs: 2
  n_timesteps: 64
  policy: MlpPolicy
"""


@pytest.mark.parametrize(
    ("algorithm", "mode", "more"),
    [
        ("ppo", "delta", "  n_steps: 16\n  batch_size: 16\n"),
        ("dqn", "discrete", "  learning_starts: 16\n"),
        ("sac", "target", "  learning_starts: 16\n"),
        ("ppo_lstm", "delta", "  n_steps: 16\n  batch_size: 16\n"),
    ],
)
def test_the_trainer_trains(algorithm, mode, more, tmp_path):
    (tmp_path / "settings.yml").write_text(
        SETTINGS.replace("MlpPolicy", "MlpLstmPolicy" if "lstm" in algorithm else "MlpPolicy") + more
    )
    words = [
        *(sys.executable, "-m", "rl_zoo3.train", "--algo", algorithm, "--env", "SageServe/Mini-v0"),
        *("--gym-packages", "sageserve_env", "--conf-file", str(tmp_path / "settings.yml"), "-f", str(tmp_path / "logs")),
        *(
            "--env-kwargs",
            f"action_mode:'{mode}'",
            "horizon_s:3600.0",
            "--eval-env-kwargs",
            f"action_mode:'{mode}'",
            "horizon_s:3600.0",
        ),
        *("--eval-freq", "32", "--eval-episodes", "1", "--seed", "0", "--device", "cpu"),
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.glob(f"logs/{algorithm}/SageServe-Mini-v0_1/SageServe-Mini-v0.zip"))
    assert list(tmp_path.glob(f"logs/{algorithm}/SageServe-Mini-v0_1/evaluations.npz"))
