"""Siloed pools (paper section 7): interactive and non-interactive requests each have instances of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from baselines.fleet import MOST_INSTANCES
from baselines.reactive import ReactivePolicy
from sageserve_env.world.checks import require_count
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import Pool, World


@dataclass
class SiloedPolicy(ReactivePolicy):
    """Separate interactive and non-interactive pools of each model in each region, each scaled reactively.

    Attributes:
        interactive: Instances of each interactive endpoint at the start; the paper: 16.
        non_interactive: Instances of each non-interactive endpoint at the start; the paper: 4.

    The other options are those of :class:`ReactivePolicy`.
    """

    name: ClassVar[str] = "siloed"

    interactive: int = 16
    non_interactive: int = 4

    def prepare(self, world: World) -> World:
        """The world with its fleet split in two.

        Raises:
            InputError: A region has too few VMs.
        """
        require_count("interactive", self.interactive, 0, MOST_INSTANCES)
        require_count("non_interactive", self.non_interactive, 0, MOST_INSTANCES)
        models = [model.name for model in world.models]
        pools = (
            Pool("interactive", ("IW-F", "IW-N"), dict.fromkeys(models, self.interactive)),
            Pool("non-interactive", ("NIW",), dict.fromkeys(models, self.non_interactive)),
        )
        return validate(replace(world, pools=pools))
