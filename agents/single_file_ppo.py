"""PPO in one file, for those who change the algorithm: PyTorch alone, one network for every endpoint, an option for constraints.

``python -m agents.single_file_ppo --env SageServe/Mini-v0 --seed 0 --steps 300000 --out runs/single-file``

Read it from ``train`` at the end. It is PPO with clipped objective and generalized advantages (Schulman et al., 2017), on the
native vector environment. The network is equivariant, see :mod:`agents.inference.equivariant`, whose NumPy form is what is saved.
With ``--lagrangian`` rewards are dollars without breaches, and a breach of each tier has a price of its own that rises while the
tier misses its level and falls while it holds it. A run that was stopped goes on with ``--resume``, bit for bit.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol, get_type_hints

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from torch import nn
from torch.distributions import Categorical, Independent, Normal

from agents.common.log import LOG, NOTHING, Clock, Log
from agents.common.moments import Moments
from agents.common.position import Course
from agents.common.resume import CHECKPOINT, Arrays, read_checkpoint, restore_torch, torch_state, write_checkpoint
from agents.common.rewards import priced
from agents.common.scoring import Validation, rank_of
from agents.inference.equivariant import Equivariant, averaging
from agents.inference.mlp import LEAST_VARIANCE
from agents.inference.saved import save_agent
from agents.warm_start import clone
from sageserve_env.cli.errors import explanation, fail
from sageserve_env.env import VectorFleetEnv
from sageserve_env.env.rewards import TERMS, USD_PER_REWARD, dollars
from sageserve_env.errors import InputError
from sageserve_env.evaluation.locked.protocol import dynamics_digest
from sageserve_env.evaluation.problems.episodes import LEVELS
from sageserve_env.registration import problem_name
from sageserve_env.scenarios import load_problem
from sageserve_env.world.checks import require_choice, require_count, require_positive

CLIP = 10.0
FORBIDDEN = -1e8
BREACHES = ("breaches_iw_f", "breaches_iw_n", "breaches_niw")
ATTAINABLE = ("attainable_iw_f", "attainable_iw_n", "attainable_niw")
PRICE_BOUNDS_USD = (1e-3, 100.0)

FREE = ("steps", "out", "threads", "resume")
"""Arguments that may be others where a run goes on; the learning rate falls by ``steps``."""

Reals = NDArray[np.float64]


@dataclass
class Args:
    """Arguments; each is an option of the command line.

    Attributes:
        env: Id of the environment.
        seed: Of weights, actions and episodes.
        steps: Environment steps in all.
        out: Folder of the log and the agents ``best`` and ``last``.
        num_envs: Environments stepped together.
        rollout: Steps of each environment between two updates.
        action_mode: ``"delta"``, a masked choice for each fleet, or ``"target"``, a normal law.
        max_delta: Most instances that a ``delta`` changes a fleet by.
        forecaster: Adds the next hour's demand to the observation, e.g. ``"recurring"``; empty: none.
        horizon_s: Seconds of an episode; 0: the problem's.
        workload: Another workload; empty: the problem's.
        breach_factor: On the problem's price of a breach, in rewards only; without the Lagrangian.
        width: Units of each layer.
        knows_models: Give each model an offset of its own in the first layer.
        learning_rate: At the start; it falls linearly to a tenth.
        gamma, gae_lambda: Discount, and decay of the advantage estimates.
        epochs, minibatches: Passes over a rollout, and parts of it.
        clip: Of the ratio of probabilities.
        entropy: Weight of the entropy.
        value: Weight of the value's loss.
        max_grad_norm: Where gradients are cut.
        initial_choice: Logit of "no change" in a new agent.
        initial_action, initial_std: Mean and deviation of a new agent's targets.
        centre_rewards: Subtract their running mean.
        lagrangian: Prices of breaches adapt to the levels.
        margin: Share of the breaches that a level allows at which prices aim.
        price_rate: How fast the logarithm of a price moves in an update.
        clone: A reference policy to do as, before rewards are learned from, e.g. ``"forecast-program:tuned=mini"``; empty: none.
        clone_episodes: Train episodes that it is shown in.
        value_first: Updates in which only the value learns, so that its first errors undo nothing.
        evaluate_every: Steps between two evaluations on the validation split.
        choose: ``"likeliest"`` or ``"sampled"``: how the agent acts when it is evaluated and saved.
        device: Where the network is.
        threads: That step the environments; 0: one for each core.
        resume: Go on from the checkpoint in ``out``; without it, a run begins anew.
    """

    env: str = "SageServe/Mini-v0"
    seed: int = 0
    steps: int = 300_000
    out: str = "runs/single-file"
    num_envs: int = 16
    rollout: int = 144
    action_mode: str = "delta"
    max_delta: int = 1
    forecaster: str = ""
    horizon_s: float = 0.0
    workload: str = ""
    breach_factor: float = 1.0
    width: int = 64
    knows_models: bool = True
    learning_rate: float = 6e-4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    epochs: int = 6
    minibatches: int = 4
    clip: float = 0.2
    entropy: float = 1e-3
    value: float = 0.5
    max_grad_norm: float = 0.5
    initial_choice: float = 2.0
    initial_action: float = -0.6
    initial_std: float = 0.2
    centre_rewards: bool = True
    lagrangian: bool = False
    margin: float = 0.5
    price_rate: float = 0.1
    clone: str = ""
    clone_episodes: int = 20
    value_first: int = 0
    evaluate_every: int = 20_000
    choose: str = "sampled"
    device: str = "cpu"
    threads: int = 0
    resume: bool = False

    def __post_init__(self) -> None:
        """Check.

        Raises:
            InputError: A value cannot be used.
        """
        require_choice("action_mode", self.action_mode, ("delta", "target"))
        require_choice("choose", self.choose, ("likeliest", "sampled"))
        for name in (
            "steps",
            "num_envs",
            "rollout",
            "max_delta",
            "width",
            "epochs",
            "minibatches",
            "clone_episodes",
            "evaluate_every",
        ):
            require_count(name, getattr(self, name), 1)
        for name in ("seed", "threads", "value_first"):
            require_count(name, getattr(self, name), 0)
        for name in ("initial_std", "learning_rate", "breach_factor"):
            require_positive(name, getattr(self, name), "give a number above 0")

    @property
    def run(self) -> dict[str, Any]:
        """What a checkpoint must be of."""
        dynamics = dynamics_digest(load_problem(self.config["problem"]))
        return {name: value for name, value in asdict(self).items() if name not in FREE} | {"dynamics_digest": dynamics}

    @property
    def view(self) -> dict[str, Any]:
        """What the agent chooses of its environment."""
        moves = {"max_delta": self.max_delta} if self.action_mode == "delta" else {}
        return {"action_mode": self.action_mode, **moves, **({"forecaster": self.forecaster} if self.forecaster else {})}

    @property
    def config(self) -> dict[str, Any]:
        """Arguments of the environments, but for the split and the reward."""
        given = {"horizon_s": self.horizon_s or None, "workload": self.workload or None, "num_threads": self.threads or None}
        return {"problem": problem_name(self.env, "--env"), **self.view, **given}


class Places(NamedTuple):
    """Where an agent's endpoints are in its observation.

    Attributes:
        entries: Entries of each endpoint, shape (N, D), int64.
        regions, models: Of each endpoint, shape (N,), int64.
        outputs: Entries of an endpoint's action, one for each VM type.
    """

    entries: NDArray[np.int64]
    regions: NDArray[np.int64]
    models: NDArray[np.int64]
    outputs: int


class Step(NamedTuple):
    """What a step gives, the B agents on the first axis.

    Attributes:
        observations: Of now, shape (B, O).
        rewards: Shape (B,).
        is_over: Whether the episode ended and the next began, shape (B,).
        final: What was seen at the end, shape (B, O); of rows that go on, anything.
        terms: By the names of ``rewards.TERMS``, each of shape (B,).
    """

    observations: NDArray[Any]
    rewards: Reals
    is_over: NDArray[np.bool_]
    final: NDArray[Any]
    terms: dict[str, Reals]


class Batch(Protocol):
    """Environments of B agents that act side by side.

    Attributes:
        places: The same for all agents.
        whole: Of the one agent that is evaluated and saved; others than ``places`` where agents see a region each.
        size: B.
    """

    places: Places
    whole: Places
    size: int

    def reset(self, seed: int) -> NDArray[Any]:
        """Begin; observations of shape (B, O)."""
        ...

    def masks(self) -> NDArray[np.bool_] | None:
        """Which choices can be made in full, shape (B, choices); None where none can be forbidden."""
        ...

    def step(self, actions: NDArray[Any]) -> Step:
        """Act, shape (B, A)."""
        ...


class Fleets:
    """The native vector environment: an agent for each fleet."""

    def __init__(self, args: Args) -> None:
        mode = AutoresetMode.SAME_STEP
        reward = "constrained" if args.lagrangian else priced(args.config["problem"], "money", args.breach_factor)
        self._envs = VectorFleetEnv(args.num_envs, split="train", autoreset_mode=mode, reward=reward, **args.config)
        self.size, self.places = args.num_envs, places_of(self._envs)
        self.whole, self.course = self.places, Course(self._envs)

    def reset(self, seed: int) -> NDArray[Any]:
        """Begin."""
        return self.course.reset(seed)

    def masks(self) -> NDArray[np.bool_] | None:
        """Of mode ``delta``."""
        return self._envs.action_masks() if self._envs.setup.has_masks else None

    def step(self, actions: NDArray[Any]) -> Step:
        """Act."""
        observations, rewards, _, is_over, infos = self._envs.step(actions)
        self.course.note(actions, is_over)
        final, terms = observations, {name: infos[name] for name in TERMS}
        if is_over.any():  # infos are then those of the next episode
            final = observations.copy()
            for row in np.flatnonzero(is_over):
                final[row] = infos["final_obs"][row]
            terms = {name: np.where(is_over, infos["final_info"][name], values) for name, values in terms.items()}
        return Step(observations, rewards, is_over, final, terms)


def places_of(envs: VectorFleetEnv) -> Places:
    """Where each endpoint's entries are: its own, its region's, the time."""
    world, groups = envs.setup.world, envs.observation_groups
    entry = {feature.name: k for k, feature in enumerate(envs.observation_features)}
    shape = (len(world.regions), len(world.models), len(world.pools))
    regions, models = (axis.ravel() for axis in np.indices(shape)[:2])
    rows = []
    for endpoint, (region, model) in enumerate(zip(regions, models, strict=True)):
        seen = [groups["endpoints"][endpoint], groups["regions"][region], groups["time"]]
        seen += [groups["hours"][region]] if "hours" in groups else []
        seen += [groups["forecast"][region, [model]]] if "forecast" in groups else []
        rows.append([entry[feature.name] for feature in np.concatenate(seen)])
    return Places(np.array(rows, np.int64), regions.astype(np.int64), models.astype(np.int64), len(world.vm_types))


class Trunk(nn.Module):
    """What an endpoint makes of itself, its region and the fleet: (B, N, D) to (B, N, H)."""

    def __init__(self, places: Places, width: int, knows_models: bool) -> None:
        super().__init__()
        self.own, self.joint = nn.Linear(places.entries.shape[1], width), nn.Linear(3 * width, width)
        self.of_models = nn.Parameter(torch.zeros(int(places.models.max()) + 1, width), requires_grad=knows_models)
        self.register_buffer("models", torch.as_tensor(places.models))
        self.register_buffer("near", torch.as_tensor(averaging(places.regions)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of each endpoint."""
        own = torch.tanh(self.own(x) + self.of_models[self.models])
        everywhere = own.mean(dim=1, keepdim=True).expand_as(own)
        return torch.tanh(self.joint(torch.cat([own, self.near @ own, everywhere], dim=-1)))


class Network(nn.Module):
    """Policy and value, with a trunk each."""

    def __init__(self, args: Args, places: Places) -> None:
        super().__init__()
        self.is_choice = args.action_mode == "delta"
        self.choices = 2 * args.max_delta + 1 if self.is_choice else 1
        self.actor, self.critic = (Trunk(places, args.width, args.knows_models) for _ in range(2))
        self.action, self.worth = nn.Linear(args.width, places.outputs * self.choices), nn.Linear(args.width, 1)
        self.log_std = nn.Parameter(
            torch.full((places.outputs,), float(np.log(args.initial_std))), requires_grad=not self.is_choice
        )
        with torch.no_grad():
            self.action.weight.mul_(0.01)
            self.action.bias.fill_(0.0 if self.is_choice else args.initial_action)
            if self.is_choice:
                self.action.bias[args.max_delta :: self.choices] = args.initial_choice

    def law(self, x: torch.Tensor, masks: torch.Tensor | None) -> Independent:
        """The law of the action, (B, N * outputs) entries."""
        outputs = self.action(self.actor(x)).flatten(1)
        if not self.is_choice:
            return Independent(Normal(outputs, self.log_std.exp().repeat(x.shape[1])), 1)
        logits = outputs.unflatten(1, (-1, self.choices))
        if masks is not None:
            logits = logits.masked_fill(~masks.view_as(logits), FORBIDDEN)
        return Independent(Categorical(logits=logits), 1)

    def value(self, x: torch.Tensor) -> torch.Tensor:
        """What is to come, shape (B,)."""
        return self.worth(self.critic(x)).mean(dim=(1, 2))


class Eyes:
    """Observations as the network sees them, by what was seen so far."""

    def __init__(self, places: Places, device: str) -> None:
        self.moments, self._entries, self._device = Moments((places.entries.shape[1],)), places.entries, device

    def __call__(self, observations: NDArray[Any], learns: bool = True) -> torch.Tensor:
        """Normalised entries of each endpoint, shape (B, N, D)."""
        seen = np.asarray(observations, np.float64)[:, self._entries]
        if learns:
            self.moments.update(seen.reshape(-1, seen.shape[-1]))
        scaled = (seen - self.moments.mean) / np.sqrt(self.moments.variance + LEAST_VARIANCE)
        return torch.as_tensor(np.clip(scaled, -CLIP, CLIP), dtype=torch.float32, device=self._device)


class Rewards:
    """Rewards as the network learns them: breaches priced, centred, over the deviation of the discounted return.

    Attributes:
        prices_usd: Of a breach by tier, with the Lagrangian.
    """

    def __init__(self, args: Args, size: int) -> None:
        self._args, self._mean, self._returned, self._return = args, Moments(), Moments(), np.zeros(size)
        self.prices_usd = np.full(3, 0.4)
        self._late, self._due = np.zeros(3), np.zeros(3)

    def __call__(self, step: Step) -> Reals:
        """Of one step, shape (B,)."""
        rewards = step.rewards
        if self._args.lagrangian:
            late = np.stack([step.terms[name] for name in BREACHES])
            rewards = rewards - self.prices_usd @ late / USD_PER_REWARD
            self._late += late.sum(axis=1)
            self._due += [step.terms[name].sum() for name in ATTAINABLE]
        if self._args.centre_rewards:
            self._mean.update(rewards)
            rewards = rewards - self._mean.mean
        self._return = self._return * self._args.gamma + rewards
        self._returned.update(self._return)
        self._return[step.is_over] = 0.0
        return np.asarray(np.clip(rewards / np.sqrt(self._returned.variance + LEAST_VARIANCE), -CLIP, CLIP))

    def adapt(self) -> None:
        """Move each tier's price: up by how far it is above the breaches that are aimed at, down by how far it is below."""
        aimed = self._args.margin * (1.0 - np.array(LEVELS))
        excess = np.clip(self._late / np.maximum(self._due, 1.0) / aimed - 1.0, -1.0, 1.0)
        self.prices_usd = np.clip(self.prices_usd * np.exp(self._args.price_rate * excess), *PRICE_BOUNDS_USD)
        self._late, self._due = np.zeros(3), np.zeros(3)

    def state(self) -> Arrays:
        """As arrays, between two updates."""
        own = {"prices_usd": self.prices_usd, "return": self._return}
        return own | self._mean.state("rewarded") | self._returned.state("returned")

    def restore(self, arrays: Arrays) -> None:
        """Go on from :meth:`state`."""
        self.prices_usd, self._return = arrays["prices_usd"], arrays["return"]
        self._mean.restore("rewarded", arrays)
        self._returned.restore("returned", arrays)


class Rollout(NamedTuple):
    """What was lived through, each of shape (T, B, ...)."""

    seen: torch.Tensor
    masks: torch.Tensor | None
    actions: torch.Tensor
    log_probs: torch.Tensor
    values: torch.Tensor
    advantages: torch.Tensor


class Life:
    """Acts on, from rollout to rollout.

    Attributes:
        usd: Dollars of a step, mean over the last rollout.
    """

    def __init__(
        self, args: Args, batch: Batch, network: Network, eyes: Eyes, rewards: Rewards, now: NDArray[Any] | None = None
    ) -> None:
        self._args, self._batch, self._network, self._eyes, self._rewards = args, batch, network, eyes, rewards
        self._now, self.usd = batch.reset(args.seed) if now is None else now, 0.0

    @torch.no_grad()
    def rollout(self) -> Rollout:
        """Act for a rollout."""
        kept: dict[str, list[torch.Tensor]] = {name: [] for name in (*Rollout._fields, "earned", "ends")}
        self.usd = 0.0
        for _ in range(self._args.rollout):
            for name, value in self._step().items():
                kept[name].append(value)
        stacked: dict[str, Any] = {name: torch.stack(values) if values else None for name, values in kept.items()}
        last = self._network.value(self._eyes(self._now, learns=False))
        values = torch.cat([stacked["values"], last[None]])
        stacked["advantages"] = advantages(self._args, stacked.pop("earned"), values, stacked.pop("ends").float())
        return Rollout(**stacked)

    def _step(self) -> dict[str, torch.Tensor]:
        """One step, and what is kept of it."""
        args, seen, masks = self._args, self._eyes(self._now), self._batch.masks()
        allowed = {} if masks is None else {"masks": torch.as_tensor(masks, device=args.device)}
        law = self._network.law(seen, allowed.get("masks"))
        actions = law.sample()
        step = self._batch.step(actions.cpu().numpy())
        earned = torch.as_tensor(self._rewards(step), dtype=torch.float32, device=args.device)
        ends = torch.as_tensor(step.is_over, device=args.device)
        if step.is_over.any():  # an episode ends by its horizon: what would have come after it counts
            earned = earned + args.gamma * ends * self._network.value(self._eyes(step.final, learns=False))
        self._now, self.usd = step.observations, self.usd + float(dollars(step.terms).mean()) / args.rollout
        kept = {"seen": seen, "actions": actions, "log_probs": law.log_prob(actions), "values": self._network.value(seen)}
        return {**kept, **allowed, "earned": earned, "ends": ends}


def advantages(args: Args, rewards: torch.Tensor, values: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Generalized advantage estimates, shape (T, B); values have a row more."""
    found, last = torch.zeros_like(rewards), torch.zeros_like(rewards[0])
    for t in reversed(range(len(rewards))):
        goes_on = 1.0 - ends[t]
        delta = rewards[t] + args.gamma * goes_on * values[t + 1] - values[t]
        found[t] = last = delta + args.gamma * args.gae_lambda * goes_on * last
    return found


def update(
    args: Args, network: Network, optimizer: torch.optim.Optimizer, rollout: Rollout, draws: torch.Generator, acts: bool
) -> None:
    """Several passes of clipped gradient steps over a rollout; of the value alone unless the network that ``acts`` learns, too."""
    flat: list[Any] = [value if value is None else value.flatten(0, 1) for value in rollout]
    n = rollout.actions.shape[:2].numel()
    for _ in range(args.epochs):
        for part in torch.randperm(n, generator=draws).chunk(args.minibatches):
            drawn: list[Any] = [value if value is None else value[part] for value in flat]
            seen, masks, actions, old, values, gain = drawn
            law = network.law(seen, masks)
            ratio = (law.log_prob(actions) - old).exp()
            scaled = (gain - gain.mean()) / (gain.std() + 1e-8)
            policy_loss = -torch.min(ratio * scaled, ratio.clamp(1 - args.clip, 1 + args.clip) * scaled).mean()
            value_loss = (network.value(seen) - (values + gain)).square().mean()
            loss = args.value * value_loss + acts * (policy_loss - args.entropy * law.entropy().mean())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), args.max_grad_norm)
            optimizer.step()


def exported(args: Args, network: Network, eyes: Eyes, batch: Batch) -> Equivariant:
    """The policy in NumPy."""
    places = batch.whole

    def plain(tensor: torch.Tensor) -> NDArray[Any]:
        return np.array(tensor.detach().cpu().numpy(), np.float32)

    named = {"own": network.actor.own, "joint": network.actor.joint, "action": network.action}
    return Equivariant(
        layers={name: (plain(layer.weight), plain(layer.bias)) for name, layer in named.items()},
        mean=eyes.moments.mean,
        variance=eyes.moments.variance,
        entries=places.entries,
        regions=places.regions,
        models=places.models,
        of_models=plain(network.actor.of_models),
        view=args.view,
        head="categorical" if network.is_choice else "gaussian",
        sizes=[network.choices] * places.outputs if network.is_choice else [places.outputs],
        clip=CLIP,
        sees_fleet=batch.whole is batch.places,
        log_std=None if network.is_choice else plain(network.log_std),
        is_sampled=args.choose == "sampled",
    )


def train(args: Args, batch: Batch | None = None) -> list[dict[str, Any]]:
    """Train; the folder gets ``log.jsonl`` and the agents ``best`` and ``last``.

    Args:
        args: All there is to choose.
        batch: Where to act; the native vector environment by default.

    Returns:
        The rows of the log.

    Raises:
        InputError: There is nothing to resume, or it is another run's.
    """
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    draws = torch.Generator().manual_seed(args.seed)
    batch = batch or Fleets(args)
    network = Network(args, batch.places).to(args.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=args.learning_rate, eps=1e-5)
    eyes, rewards = Eyes(batch.places, args.device), Rewards(args, batch.size)
    saved = Saved(args, batch, network, optimizer, draws, eyes, rewards)
    steps, spent, now = saved.restore() if args.resume else (0, NOTHING, None)
    recorder = Recorder(args, lambda: exported(args, network, eyes, batch), steps, spent)
    if args.clone and not args.resume:
        recorder.record(0, {"cloned": clone(network, eyes, args.config, args.clone, args.clone_episodes, args.seed)}, is_last=True)
    life = Life(args, batch, network, eyes, rewards, now)
    while steps < args.steps:
        optimizer.param_groups[0]["lr"] = args.learning_rate * (1.0 - 0.9 * steps / args.steps)
        update(args, network, optimizer, life.rollout(), draws, acts=steps >= args.value_first * args.rollout * args.num_envs)
        if args.lagrangian:
            rewards.adapt()
        steps += args.rollout * args.num_envs
        recorder.record(steps, {"usd_a_step": life.usd, **prices(args, rewards)}, is_last=steps >= args.steps)
        saved.write(steps, recorder.spent)
    recorder.close()
    return recorder.rows


def prices(args: Args, rewards: Rewards) -> dict[str, Any]:
    """Prices of breaches, for the log."""
    return {"prices_usd": [round(float(price), 4) for price in rewards.prices_usd]} if args.lagrangian else {}


class Saved:
    """The checkpoint of a run: all that decides what comes next, after an update. Of the native vector only."""

    def __init__(
        self,
        args: Args,
        batch: Batch,
        network: Network,
        optimizer: torch.optim.Optimizer,
        draws: torch.Generator,
        eyes: Eyes,
        rewards: Rewards,
    ) -> None:
        self._args, self._path, self._torch = args, Path(args.out) / CHECKPOINT, (network, optimizer, draws)
        self._course, self._eyes, self._rewards = getattr(batch, "course", None), eyes, rewards
        if args.resume and self._course is None:
            raise InputError("resume: only a run on the native vector goes on; leave it out")

    def write(self, steps: int, spent: dict[str, float]) -> None:
        """Replace the checkpoint."""
        if self._course is not None:
            arrays = torch_state(*self._torch) | self._eyes.moments.state("seen") | self._rewards.state() | self._course.state()
            write_checkpoint(self._path, self._args.run, {"steps": steps, "spent": spent}, arrays)

    def restore(self) -> tuple[int, dict[str, float], NDArray[Any]]:
        """Steps and seconds behind it, and the observations of now.

        Raises:
            InputError: There is no checkpoint, or it is another run's.
        """
        facts, arrays = read_checkpoint(self._path, self._args.run)
        assert self._course is not None
        try:
            restore_torch(arrays, *self._torch)
            self._eyes.moments.restore("seen", arrays)
            self._rewards.restore(arrays)
            return int(facts["steps"]), dict(facts["spent"]), self._course.restore(arrays)
        except (KeyError, ValueError, RuntimeError, TypeError, IndexError) as error:
            raise InputError(f"--resume: '{self._path}' is torn ({error}); train anew in another folder") from None


class Recorder:
    """The log, evaluations, and the agents that are kept."""

    def __init__(self, args: Args, export: Any, steps: int, spent: dict[str, float]) -> None:
        self._args, self._export, self._out = args, export, Path(args.out)
        self._validation = Validation(**args.config)
        self._out.mkdir(parents=True, exist_ok=True)
        self._log, self._clock = Log(self._out / LOG, steps), Clock(spent)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Of the log."""
        return self._log.rows

    @property
    def spent(self) -> dict[str, float]:
        """Seconds so far."""
        return {name: round(value, 2) for name, value in self._clock.spent().items()}

    def record(self, steps: int, facts: dict[str, Any], is_last: bool) -> None:
        """Write a row; evaluate where it is time to, and at the end."""
        row: dict[str, Any] = {"steps": steps, **self.spent, **facts}
        before = self.rows[-1]["steps"] if self.rows else 0
        if is_last or steps // self._args.evaluate_every > before // self._args.evaluate_every:
            row["validation"] = self._evaluate(row)
        self._log.add(row)

    def _evaluate(self, row: dict[str, Any]) -> dict[str, Any]:
        agent = self._export()
        told = self._validation.play(lambda: copy.copy(agent)).told()
        curve = [*self._log.curve(), {"steps": row["steps"], **told}]
        training = {"algo": "single-file-ppo", **row, "settings": asdict(self._args)}
        for name in ("last", "best") if rank_of(told) == min(rank_of(each) for each in curve) else ("last",):
            save_agent(self._out / name, agent, self._args.env, curve=curve, training=training, validation=told)
        return told

    def close(self) -> None:
        """Stop the threads."""
        self._validation.close()


def parsed(words: list[str] | None = None) -> Args:
    """Arguments from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    hints = get_type_hints(Args)
    for each in fields(Args):
        option = f"--{each.name.replace('_', '-')}"
        if hints[each.name] is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=each.default)
        else:
            parser.add_argument(option, type=hints[each.name], default=each.default)
    return Args(**vars(parser.parse_args(words)))


def main(words: list[str] | None = None) -> None:
    """Read the command line, train, and print the evaluations."""
    try:
        rows = train(parsed(words))
    except InputError as error:
        fail(explanation(error))
    for row in rows:
        if "validation" in row:
            print(row["steps"], json.dumps(row["validation"]))


if __name__ == "__main__":
    main()
