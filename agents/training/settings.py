"""Settings of a training: what the package ships for an algorithm and an id, and what a file changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from agents.common.config import chosen, require_known
from agents.inference.conditioned import CONDITIONS, Condition
from agents.training.algorithms import Algorithm, algorithm_named
from sageserve_env.errors import InputError, shown
from sageserve_env.world.checks import is_number, require_choice, require_count, require_span, require_within

ENVIRONMENT = ("action_mode", "max_delta", "forecaster", "reward", "horizon_s", "control_interval_s", "workload", "max_in_flight")
"""Arguments of the environment that a training may set."""

SEEN_BY_AGENTS = ("action_mode", "max_delta", "forecaster")
"""Those of them that a policy may choose where it is scored."""

CONDITIONED = {"price_factors": "price_factor", "levels": "level"}
"""Settings by which an agent is told something in each episode, and what."""

ACTIVATIONS = ("tanh", "relu")

MOST_LAYERS = 16


@dataclass(frozen=True)
class Settings:
    """How an agent is trained.

    Attributes:
        environment: Arguments of the environment, by the names in ``ENVIRONMENT``, in evaluations too but for the reward.
        train_horizon_s: Seconds of a training episode, which begins anywhere in its day; None: as in evaluations.
        breach_factor: On the problem's price of a breach, in rewards only, 0.01 to 100.
        n_envs: Environments stepped together, 1 to 65,536.
        frame_stack: Observations that the network sees, 1 to 100.
        normalise_observations: Centre and scale each entry by its running mean and variance.
        centre_rewards: Subtract their running mean: what every step costs in any case drowns no signal then.
        scale_rewards: Divide by the running deviation of the discounted return.
        initial_instances: Least and most instances of each endpoint at the start of an episode, drawn anew for each; None: the
            world's.
        layers: Units of each hidden layer.
        activation: ``"tanh"`` or ``"relu"``.
        learning_rate: At the start.
        final_learning_rate: At the end; it changes linearly.
        initial_choice: Logit of "no change" in a new agent (modes ``delta`` and ``discrete``); others start at 0.
        initial_action: Mean of each entry of a new agent's action, -1 to 1 (Box modes).
        algorithm: Further arguments of the algorithm's class, see its documentation.
        evaluate_every: Steps between two evaluations on the validation split.
        evaluate_episodes: Validation episodes to play, every day as recorded first; None: all.
        checkpoint_every: Steps between two checkpoints of algorithms with a replay buffer; others have one after every update.
        choose: ``"likeliest"`` or ``"sampled"``: how the agent acts in evaluations, and once it is saved.
        residual: A reference policy that actions correct, e.g. ``"forecast-program:tuned=mini"`` (``ppo`` in mode ``delta``); None:
            actions are the agent's own.
        price_factors: Least and greatest factor on the price of a breach, drawn for each training episode and seen by the agent,
            which is evaluated at 1; None: always 1, and not seen.
        levels: Least and greatest share of IW-F that is to be in time, drawn and seen alike, 0.5 to 0.999; the agent is evaluated
            at 0.95, and what a breach costs is learned for each level. None: breaches have their prices.
    """

    environment: Mapping[str, Any] = field(default_factory=dict)
    train_horizon_s: float | None = None
    breach_factor: float = 1.0
    n_envs: int = 16
    frame_stack: int = 1
    normalise_observations: bool = True
    centre_rewards: bool = False
    scale_rewards: bool = True
    initial_instances: tuple[int, int] | None = None
    layers: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    learning_rate: float = 3e-4
    final_learning_rate: float = 3e-5
    initial_choice: float = 0.0
    initial_action: float = 0.0
    algorithm: Mapping[str, Any] = field(default_factory=dict)
    evaluate_every: int = 100_000
    evaluate_episodes: int | None = None
    checkpoint_every: int = 20_000
    choose: str = "likeliest"
    residual: str | None = None
    price_factors: tuple[float, float] | None = None
    levels: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Check.

        Raises:
            InputError: A value cannot be used.
        """
        require_known("environment", self.environment, ENVIRONMENT)
        if self.train_horizon_s is not None:
            require_span("train_horizon_s", self.train_horizon_s)
        require_within("breach_factor", self.breach_factor, 0.01, 100.0, "a factor")
        require_count("n_envs", self.n_envs, 1, 1 << 16)
        require_count("frame_stack", self.frame_stack, 1, 100)
        for name in ("normalise_observations", "centre_rewards", "scale_rewards"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} = {shown(getattr(self, name))}; give true or false")
        require_layers(self.layers)
        require_choice("activation", self.activation, ACTIVATIONS)
        for name in ("learning_rate", "final_learning_rate"):
            require_within(name, getattr(self, name), 0.0, 1.0, "a rate")
        require_within("initial_choice", self.initial_choice, -100.0, 100.0, "a logit")
        require_within("initial_action", self.initial_action, -1.0, 1.0, "an entry of an action")
        for name in ("evaluate_every", "checkpoint_every"):
            require_count(name, getattr(self, name), 1)
        if self.evaluate_episodes is not None:
            require_count("evaluate_episodes", self.evaluate_episodes, 1)
        require_choice("choose", self.choose, ("likeliest", "sampled"))
        self._check_start()
        self._check_residual()
        self._check_condition()

    def _check_start(self) -> None:
        if self.initial_instances is None:
            return
        if not isinstance(self.initial_instances, tuple) or len(self.initial_instances) != 2:
            raise InputError(f"initial_instances = {shown(self.initial_instances)}; give the least and the most: [1, 6]")
        least, most = self.initial_instances
        require_count("initial_instances", least, 0)
        require_count("initial_instances", most, least)

    def _check_residual(self) -> None:
        if self.residual is None:
            return
        if not isinstance(self.residual, str):
            raise InputError(f"residual = {shown(self.residual)}; give the name of a policy, or null")
        if self.environment.get("action_mode", "delta") != "delta" or self.initial_instances is not None:
            needs = "needs environment: {action_mode: delta}, and the world's instances at the start"
            raise InputError(f"residual = '{self.residual}' {needs}; leave initial_instances out")

    def _check_condition(self) -> None:
        if self.price_factors is not None and self.levels is not None:
            raise InputError("price_factors and levels do not go together; leave one out")
        for setting, condition in CONDITIONED.items():
            self._check_span(setting, getattr(self, setting), CONDITIONS[condition])

    def _check_span(self, setting: str, span: Any, condition: Condition) -> None:
        if span is None:
            return
        if not isinstance(span, tuple) or len(span) != 2 or not all(is_number(value) for value in span):
            example = f"[{condition.least:g}, {condition.usual:g}]"
            raise InputError(f"{setting} = {shown(span)}; give the least and the greatest: {example}")
        require_within(setting, span[0], condition.least, condition.most, condition.what)
        require_within(setting, span[1], span[0], condition.most, condition.what)
        for name, others in (("residual", self.residual), ("frame_stack", self.frame_stack > 1)):
            if others:
                raise InputError(f"{setting} and {name} do not go together; leave one out")
        if self.environment.get("reward", "money") != "money":
            raise InputError(f"{setting} sets the prices of the reward 'money'; leave environment: reward out")

    @property
    def condition(self) -> tuple[str, float, float] | None:
        """What the agent is told in each episode, and the bounds of that; None: nothing."""
        spans = ((condition, getattr(self, setting)) for setting, condition in CONDITIONED.items())
        return next(((condition, *span) for condition, span in spans if span is not None), None)

    @property
    def view(self) -> dict[str, Any]:
        """What the agent chooses of the environment wherever it plays."""
        return {name: self.environment[name] for name in SEEN_BY_AGENTS if self.environment.get(name) is not None}

    @property
    def scored(self) -> dict[str, Any]:
        """Arguments of the environment of an evaluation: all but the reward."""
        return {name: value for name, value in self.environment.items() if name != "reward"}

    def packed(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "environment": dict(self.environment), "algorithm": dict(self.algorithm)}


def settings_for(algo: str, problem: str, config: Path | None = None) -> Settings:
    """What is shipped for an algorithm and a problem, changed by a file.

    Args:
        algo: Name of an algorithm.
        problem: Name of a problem.
        config: YAML: the attributes of :class:`Settings` that are to be others.

    Raises:
        InputError: There is no such algorithm, the file cannot be read, or a setting is unknown or cannot be used.
    """
    algorithm = algorithm_named(algo)
    return settings_of(chosen(algo, problem, config), algorithm)


def settings_of(values: Mapping[str, Any], algorithm: Algorithm) -> Settings:
    """Settings of plain values.

    Raises:
        InputError: A setting is unknown, or cannot be used by the algorithm.
    """
    require_known("settings", values, [each.name for each in fields(Settings)])
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name in ("environment", "algorithm"):
        if not isinstance(plain.get(name, {}), Mapping):
            raise InputError(f"{name} = {shown(plain[name])} is no mapping; give names and values")
    settings = Settings(**plain)
    require_choice("environment: action_mode", settings.environment.get("action_mode", "delta"), algorithm.action_modes)
    if settings.residual is not None and algorithm.name != "ppo":
        raise InputError(f"residual = '{settings.residual}' is learned by ppo, not by {algorithm.name}; give --algo ppo")
    return settings


def require_layers(layers: Any) -> None:
    """Refuse what are no hidden layers.

    Raises:
        InputError: They are none.
    """
    is_list = isinstance(layers, tuple) and 1 <= len(layers) <= MOST_LAYERS
    if not is_list or not all(is_number(units) and units == int(units) and 1 <= units <= 1 << 14 for units in layers):
        raise InputError(f"layers = {shown(layers)}; give the units of 1 to {MOST_LAYERS} hidden layers: [64, 64]")
