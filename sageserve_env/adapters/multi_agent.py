"""The fleet as a PettingZoo environment: an agent for each region, or for each region and model, acting at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sageserve_env.env.actions import choice_mask, delta_of
from sageserve_env.env.observation.encode import Feature
from sageserve_env.env.rewards import KG_PER_T, TERMS, Money, carbon_usd_per_t
from sageserve_env.env.row import EnvSnapshot
from sageserve_env.env.single import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.extras import MissingExtra, install_hint
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.sim.state import N_TIERS
from sageserve_env.world.checks import require_choice
from sageserve_env.world.schema import World

try:
    from pettingzoo import ParallelEnv
except ImportError:
    raise MissingExtra(f"multi-agent environments need pettingzoo, which is not installed; {install_hint('multi-agent')}") from None

AGENTS = ("region", "region-model")
REWARDS = ("shared", "individual")
MODES = ("delta", "target", "discrete")
"""Action modes that can be dealt out to agents: a number for each fleet, or each agent's choice of one change among its own."""


Observations = dict[str, NDArray[np.float32]]
Infos = dict[str, dict[str, Any]]
MultiAgentSnapshot = tuple[EnvSnapshot, tuple[str, ...]]
"""The fleet at a control instant, and the agents that act next."""


@dataclass(frozen=True)
class Scope:
    """What belongs to an agent.

    Attributes:
        places: Its entries of the joint action, shape (A,), int64.
        entries: Its entries of the global observation, shape (O,), int64.
    """

    places: NDArray[np.int64]
    entries: NDArray[np.int64]


@dataclass(frozen=True)
class Spent:
    """What agents have to answer for so far.

    Attributes:
        vm_usd, carbon_kg, egress_usd: Of their endpoints; of requests that originate with them. Shape (agents,).
        breaches: Of those requests, by tier, shape (agents, T).
    """

    vm_usd: NDArray[np.float64]
    carbon_kg: NDArray[np.float64]
    egress_usd: NDArray[np.float64]
    breaches: NDArray[np.int64]

    @classmethod
    def nothing(cls, n_agents: int) -> Spent:
        """What agents have to answer for before they begin."""
        none = np.zeros(n_agents)
        return cls(none, none, none, np.zeros((n_agents, N_TIERS), np.int64))


class MultiAgentFleetEnv(ParallelEnv[str, NDArray[np.float32], NDArray[Any]]):
    """A fleet of LLM servers that several agents control, each its own part, all at once.

    The fleet is that of :class:`sageserve_env.env.FleetEnv`: the same seed draws the same episode, and the agents' actions put
    together are its action, with the same outcome bit for bit. VMs that several endpoints of a region ask for at once go to them in
    the order of the endpoints, so actions that the masks allow one by one may be clipped together.

    Agents never terminate; all are truncated at the horizon, or where the fleet is overfull. ``infos[agent]`` has the same keys
    after a reset and a step: the terms that the agent's reward is made of, ``cost`` (the avoidable breaches among them),
    ``is_overfull``, what was drawn for the episode, and ``action_mask`` (``delta`` and ``discrete``), the agent's own, in the
    form that its space samples with: a tuple of arrays, or one array.

    Args:
        agents: ``"region"``, named by region, or ``"region-model"``, named ``"REGION/MODEL"``.
        rewards: ``"shared"``: every agent gets the fleet's reward. ``"individual"``: an agent pays for the VMs of its own endpoints
            and their carbon, and for the avoidable breaches and the traffic of requests that originate in its region (and are for
            its model), wherever they were served; the agents' rewards add up to the fleet's. Needs ``reward="money"`` or
            ``"latency-first"``, or objects of them.
        render_mode: None, ``"human"``, ``"rgb_array"`` or ``"ansi"``.
        **config: Arguments of ``sageserve_env.env.config.Config``, but for the forms of observation; ``action_mode`` is
            ``"delta"``, ``"target"`` or ``"discrete"``.

    Attributes:
        possible_agents: Names of all agents, in the order of the endpoints.
        agents: Those that act next: all in an episode, none outside.
        state_space: Where the global observation lies, shape (O,).

    Raises:
        InputError: An argument is unknown or cannot be used.

    Example:
        >>> from sageserve_env.adapters.multi_agent import MultiAgentFleetEnv
        >>> env = MultiAgentFleetEnv(problem="mini", agents="region")
        >>> observations, infos = env.reset(seed=0)
        >>> {agent: observation.shape for agent, observation in observations.items()}
        {'westus': (33,), 'centralus': (33,), 'eastus': (33,)}
    """

    metadata = {"name": "sageserve_v0", "is_parallelizable": True, **FleetEnv.metadata}  # noqa: RUF012

    def __init__(self, *, agents: str = "region", rewards: str = "shared", render_mode: str | None = None, **config: Any) -> None:
        require_choice("agents", agents, AGENTS)
        require_choice("rewards", rewards, REWARDS)
        self.render_mode = render_mode
        self._is_discrete = config.get("action_mode") == "discrete"
        mode = {"action_mode": "delta"} if self._is_discrete else {}
        self._env = FleetEnv(render_mode=render_mode, **{**config, **mode})
        require_parts(self._env, rewards)
        self._rewards = rewards
        self._scopes = scopes(self._env, agents)
        self._observation_spaces = {agent: part_of_box(self.state_space, scope.entries) for agent, scope in self._scopes.items()}
        self._action_spaces = {
            agent: part_of_actions(self._env.action_space, scope.places, self._is_discrete) for agent, scope in self._scopes.items()
        }
        self._spent = Spent.nothing(len(self._scopes))
        self._seen: NDArray[np.float32] | None = None
        self.possible_agents = list(self._scopes)
        self.agents: list[str] = []

    @property
    def state_space(self) -> spaces.Box:
        """Where :meth:`state` lies."""
        space = self._env.observation_space
        assert isinstance(space, spaces.Box)
        return space

    @property
    def state_features(self) -> list[Feature]:
        """Name, unit, formula and bounds of each entry of :meth:`state`."""
        return self._env.observation_features

    def observation_space(self, agent: str) -> spaces.Box:
        """Where an agent's observations lie: a float32 Box, of the same shape for all agents."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """An agent's part of the joint action: an entry for each of its endpoints and VM types, or a choice of one change."""
        return self._action_spaces[agent]

    def observation_features(self, agent: str) -> list[Feature]:
        """Name, unit, formula and bounds of each entry of an agent's observation.

        They are those of its endpoints, then its region's spot VMs, the time, and the forecasts of its models where they are on.
        """
        return [self.state_features[entry] for entry in self._scopes[agent].entries]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:
        """Draw an episode and start it; seed and options as of :class:`FleetEnv`.

        Raises:
            InputError: An option is unknown or cannot be used.
        """
        # PettingZoo's own test of the interface passes an option named "options", which means nothing.
        wanted = {name: value for name, value in (options or {}).items() if name != "options"}
        self._seen, info = self._env.reset(seed=seed, options=wanted)
        self.agents = self.possible_agents.copy()
        self._spent = self._spending()
        _, parts = self._accounts(0.0, info)
        return self._observations(), {agent: self._told(agent, info, parts[agent]) for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Act, and simulate to the next control instant.

        Args:
            actions: One for each agent, in its action space.

        Raises:
            InputError: An action is missing, of an unknown agent or not in the agent's space, or no episode is under way.
        """
        if not self.agents:
            raise InputError("step(): no episode is under way; call reset() first")
        self._seen, fleet_reward, _, truncated, info = self._env.step(self._joint(actions))
        rewards, parts = self._accounts(fleet_reward, info)
        acted = self.agents
        self.agents = [] if truncated else acted
        return (
            self._observations(),
            rewards,
            dict.fromkeys(acted, False),
            dict.fromkeys(acted, truncated),
            {agent: self._told(agent, info, parts[agent]) for agent in acted},
        )

    def state(self) -> NDArray[np.float32]:
        """The observation of the whole fleet, for centralized critics, shape (O,).

        Raises:
            InputError: No episode was begun.
        """
        if self._seen is None:
            raise InputError("state(): no episode was begun; call reset() first")
        return self._seen.copy()

    def telemetry(self) -> Telemetry:
        """What the fleet looks like now, in physical units."""
        return self._env.telemetry()

    def snapshot(self) -> MultiAgentSnapshot:
        """Everything that decides the future, the state of the random numbers included."""
        return self._env.snapshot(), tuple(self.agents)

    def fork(self, seed: int) -> MultiAgentSnapshot:
        """A snapshot whose future is drawn anew: see :meth:`sageserve_env.env.FleetEnv.fork`."""
        return self._env.fork(seed), tuple(self.agents)

    def restore(self, snapshot: MultiAgentSnapshot) -> Observations:
        """Return to a snapshot of an environment with the same arguments; what follows is the same, bit for bit."""
        fleet, agents = snapshot
        self._seen = self._env.restore(fleet)
        self.agents = list(agents)
        self._spent = self._spending()
        return self._observations()

    def render(self) -> Any:
        """The dashboard of the fleet: an RGB array, a string, or None where a window shows it."""
        return self._env.render()

    def close(self) -> None:
        """Close the window and stop threads."""
        self._env.close()

    def _observations(self) -> Observations:
        state = self.state()
        return {agent: state[scope.entries] for agent, scope in self._scopes.items()}

    def _told(self, agent: str, fleet_info: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
        """An agent's info: its part of the terms and of the action mask, and what is told of the episode."""
        info = {**part, **{name: value for name, value in fleet_info.items() if name not in {*TERMS, "cost", "action_mask"}}}
        if "action_mask" in fleet_info:
            mask = fleet_info["action_mask"][self._scopes[agent].places]
            info["action_mask"] = choice_mask(mask) if self._is_discrete else tuple(mask)
        return info

    def _joint(self, actions: dict[str, Any]) -> NDArray[Any]:
        """The agents' actions put together."""
        unknown = [agent for agent in actions if agent not in self._scopes]
        if unknown:
            raise InputError(f"step(): there is no agent {unknown[0]!r}; the agents are {', '.join(self.agents)}")
        is_share = isinstance(self._env.action_space, spaces.Box)
        joint: NDArray[Any] = np.zeros(self._env.action_space.shape or (), np.float64 if is_share else np.int64)
        max_delta = self._env.setup.settings.max_delta
        for agent, scope in self._scopes.items():
            if agent not in actions:
                raise InputError(f"step(): no action of agent {agent!r}; give one for each of {', '.join(self.agents)}")
            action = self._checked(agent, actions[agent])
            joint[scope.places] = delta_of(int(action), len(scope.places), max_delta) if self._is_discrete else action
        return joint

    def _checked(self, agent: str, action: Any) -> NDArray[Any]:
        """An agent's action; as in the single environment, shares are clipped, and whole numbers may be floats."""
        space, array = self._action_spaces[agent], np.asarray(action)
        if isinstance(space, spaces.Box):
            kinds, array = "f", np.clip(array, -1.0, 1.0).astype(np.float32) if array.dtype.kind in "fiu" else array
        else:
            is_whole = array.dtype.kind == "f" and bool(np.all(np.isfinite(array) & (array == np.floor(array))))
            kinds, array = "iu", array.astype(np.int64) if is_whole else array
        if array.dtype.kind not in kinds or not space.contains(array):
            raise InputError(f"action of agent {agent!r} = {array.tolist()} is not in its action space; give one of {space}")
        return array

    def _accounts(self, fleet_reward: float, info: dict[str, Any]) -> tuple[dict[str, float], Infos]:
        """Rewards of the interval by agent, and the terms behind them."""
        if self._rewards == "shared":
            terms = {name: info[name] for name in (*TERMS, "cost")}
            return dict.fromkeys(self.agents, fleet_reward), dict.fromkeys(self.agents, terms)
        now, before = self._spending(), self._spent
        self._spent = now
        late = now.breaches - before.breaches
        reward = self._env.setup.reward
        own = {
            "vm_usd": now.vm_usd - before.vm_usd,
            "breach_usd": (late * np.array(reward.breach_prices_usd)).sum(axis=-1),
            "egress_usd": now.egress_usd - before.egress_usd,
            "carbon_usd": (now.carbon_kg - before.carbon_kg) * carbon_usd_per_t(reward) / KG_PER_T,
        }
        rewards, costs = reward(own).tolist(), late.sum(axis=1).astype(float).tolist()
        parts: Infos = {}
        for k, agent in enumerate(self.agents):
            parts[agent] = {**{name: float(values[k]) for name, values in own.items()}, "cost": costs[k]}
        return dict(zip(self.agents, rewards, strict=True)), parts

    def _spending(self) -> Spent:
        """So far by agent."""
        if self._rewards == "shared":
            return self._spent
        spending, n_agents = self._env.spending(), len(self._scopes)
        # Endpoints and origins go region by region, model by model: an agent's are next to each other.
        return Spent(
            vm_usd=spending.vm_usd.reshape(n_agents, -1).sum(axis=1),
            carbon_kg=spending.carbon_kg.reshape(n_agents, -1).sum(axis=1),
            egress_usd=spending.egress_usd.reshape(n_agents, -1).sum(axis=1),
            breaches=self.telemetry().breached.reshape(n_agents, -1, N_TIERS).sum(axis=1),
        )


def parallel_env(problem: Any = "mini", **arguments: Any) -> MultiAgentFleetEnv:
    """A multi-agent environment, made as PettingZoo's are.

    Args:
        problem: Name of a problem, or the problem itself.
        **arguments: Those of :class:`MultiAgentFleetEnv`.

    Raises:
        InputError: An argument is unknown or cannot be used.
    """
    return MultiAgentFleetEnv(problem=problem, **arguments)


def require_parts(env: FleetEnv, rewards: str) -> None:
    """Raise InputError unless the fleet's actions, observations and rewards can be dealt out to agents."""
    mode, reward = env.setup.settings.action_mode, env.setup.reward
    if mode not in MODES:
        raise InputError(f"action_mode = {mode!r} has settings that no single agent owns; choose one of {', '.join(MODES)}")
    if not isinstance(env.observation_space, spaces.Box):
        raise InputError("observation or mask_in_observation: agents observe a flat Box, with masks in infos; leave both out")
    if env.reward_space is not None:
        raise InputError(f"reward = {reward.name!r} is a vector; agents take a number, such as 'money'")
    if rewards == "individual" and not isinstance(reward, Money):
        raise InputError(f"rewards = 'individual': reward = {reward.name!r} has no shares; use 'money' or 'latency-first'")


def scopes(env: FleetEnv, agents: str) -> dict[str, Scope]:
    """What belongs to each agent, by its name."""
    world, groups = env.setup.world, env.observation_groups
    entry = {feature.name: k for k, feature in enumerate(env.observation_features)}
    n_models, n_types = len(world.models), len(world.vm_types)
    endpoints = np.arange(len(world.regions) * n_models * len(world.pools)).reshape(-1, n_models, len(world.pools))
    found = {}
    for name, region, models in parts_of(world, agents):
        own = endpoints[region, models].ravel()
        seen = [groups["endpoints"][own].ravel(), groups["regions"][region], groups["time"]]
        if "hours" in groups:
            seen.append(groups["hours"][region])
        if "forecast" in groups:
            seen.append(groups["forecast"][region, models])
        places = (own[:, None] * n_types + np.arange(n_types)).ravel()
        found[name] = Scope(places, np.array([entry[feature.name] for feature in np.concatenate(seen)]))
    return found


def parts_of(world: World, agents: str) -> list[tuple[str, int, list[int]]]:
    """Name, region and models of each agent, in the order of the endpoints."""
    models = range(len(world.models))
    if agents == "region":
        return [(region.name, r, list(models)) for r, region in enumerate(world.regions)]
    return [(f"{region.name}/{world.models[m].name}", r, [m]) for (r, region), m in product(enumerate(world.regions), models)]


def part_of_box(space: spaces.Box, entries: NDArray[np.int64]) -> spaces.Box:
    """The Box of some entries of a flat Box."""
    return spaces.Box(space.low[entries], space.high[entries], dtype=np.float32)


def part_of_actions(space: spaces.Space[Any], places: NDArray[np.int64], is_discrete: bool) -> spaces.Space[Any]:
    """The space of some entries of an action, or of a choice of one change among them."""
    if isinstance(space, spaces.MultiDiscrete):
        return spaces.Discrete(1 + int((space.nvec[places] - 1).sum())) if is_discrete else spaces.MultiDiscrete(space.nvec[places])
    assert isinstance(space, spaces.Box)
    return part_of_box(space, places)
