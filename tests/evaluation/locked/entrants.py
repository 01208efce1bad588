"""Policies that are evaluated in tests; they run in processes of their own, which load this file."""

import gc
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

from sageserve_env.evaluation.locked.wall.mailbox import ANSWERED, ASKED, LENGTH, Mailbox
from sageserve_env.evaluation.locked.wall.worker import Played
from sageserve_env.sim import Knobs


class Holds:
    """An agent that changes nothing."""

    def reset(self, seed):
        self.seed = seed

    def act(self, observation, mask):
        return np.full(mask.shape[0], 2)


class Chance:
    """An agent that draws among the choices under the mask."""

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)

    def act(self, observation, mask):
        return [self.rng.choice(np.flatnonzero(row)) for row in mask]


class OneShape(Holds):
    """Knows three fleets."""

    def act(self, observation, mask):
        assert mask.shape[0] == 3
        return super().act(observation, mask)


class MayDraw(Chance):
    """Takes the first choice under the mask, or draws one."""

    def __init__(self, sampled=False):
        self.sampled = sampled

    def act(self, observation, mask):
        return super().act(observation, mask) if self.sampled else mask.argmax(axis=1)


class Targets:
    """An agent with another view: fractions of the fleet, from a dict of observations."""

    VIEW = {"action_mode": "target", "observation": "dict"}  # noqa: RUF012

    def reset(self, seed):
        pass

    def act(self, observation, mask):
        assert mask is None
        assert set(observation) >= {"endpoints", "regions", "time"}
        return np.full(len(observation["endpoints"]), -0.5)


class Remembers(Holds):
    """Leaves what it knows wherever an object of the next episode could find it, and fails if it finds any."""

    kept = []  # noqa: RUF012

    def reset(self, seed):
        left = [*self.kept, *getattr(np, "left_here", []), *os.environ.get("LEFT_HERE", "")]
        assert not left, left
        self.kept.append(seed)
        np.left_here = [seed]
        os.environ["LEFT_HERE"] = str(seed)


WANTED = ("FleetEnv", "Engine", "FleetRow", "Simulator", "Episode", "EnvSnapshot", "Observer", "GeneratedStream", "PlayedStream")
"""Classes of what a policy has no business with."""


def found(*given):
    """All that is left of the evaluation in a policy's process, from what it was given and from the garbage collector."""
    things = []
    for thing in given:
        things += [
            getattr(thing, name) for name in ("unwrapped", "env", "snapshot", "seed", "episode", "workload") if hasattr(thing, name)
        ]
    things += [thing for thing in gc.get_objects() if type(thing).__name__ in WANTED]
    frame = sys._getframe()
    while frame is not None:
        things += [value for value in frame.f_locals.values() if type(value).__name__ in WANTED]
        frame = frame.f_back
    return things


class Peeks(Holds):
    """Reaches for the environment, and acts otherwise if it gets hold of anything."""

    def act(self, observation, mask):
        holds = super().act(observation, mask)
        return holds if not found(observation, mask) else holds - 2


class Controls:
    """A controller that holds the fleet."""

    def reset(self, scenario, rng):
        self.scenario, self.knobs = scenario, Knobs.static(scenario.world)

    def decide(self, telemetry):
        return self.knobs


class PeeksAtTelemetry(Controls):
    """Reaches for the environment and for the traffic to come, and serves nothing if it gets hold of them."""

    def reset(self, scenario, rng):
        super().reset(scenario, rng)
        workload = scenario.workload
        self.is_told = bool(workload.operations) or len(set(map(tuple, workload.intensity.rate.T))) > 1
        self.is_told |= len(workload.intensity.edges) > 2 or hasattr(workload, "seed") or rng.bit_generator.seed_seq.entropy == 2025

    def decide(self, telemetry):
        if self.is_told or found(telemetry):
            return replace(self.knobs, floor=0 * self.knobs.floor, cap=0 * self.knobs.cap)
        return self.knobs


class Foresees(Controls):
    """Would be shown the future."""

    def foresee(self, workload, seed):
        raise AssertionError("nobody calls this")


class OwnFleet(Controls):
    """Wants another fleet."""

    def prepare(self, world):
        return replace(world, scaling=replace(world.scaling, min_instances=1))


class Step:
    """Does something at the second decision of a controller."""

    def reset(self, scenario, rng):
        self.knobs, self.decisions = Knobs.static(scenario.world), 0

    def decide(self, telemetry):
        self.decisions += 1
        return self.knobs if self.decisions < 2 else self.then(telemetry)


class Raises(Step):
    def then(self, telemetry):
        raise ZeroDivisionError("by nothing")


class RaisesOddly(Step):
    def then(self, telemetry):
        class Odd(BaseException):
            def __str__(self):
                raise RuntimeError

        raise Odd


class Exits(Step):
    def then(self, telemetry):
        sys.exit(0)


class Dies(Step):
    def then(self, telemetry):
        os._exit(0)


class Hangs(Step):
    def then(self, telemetry):
        while True:
            time.sleep(0.01)


class LeavesAChild(Step):
    """Hangs, and what it began holds its line open."""

    def then(self, telemetry):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(5)"], close_fds=False, start_new_session=True)
        time.sleep(60)


class Mutates(Step):
    def then(self, telemetry):
        telemetry.arrived[:] = 0
        return self.knobs


class MutatesByForce(Step):
    def then(self, telemetry):
        telemetry.arrived.setflags(write=True)
        telemetry.arrived[:] = 0
        return self.knobs


class NotANumber(Step):
    def then(self, telemetry):
        return replace(self.knobs, scale_out_utilization=self.knobs.scale_out_utilization * np.nan)


class WrongShape(Step):
    def then(self, telemetry):
        return replace(self.knobs, floor=np.zeros(1, int))


class Text(Step):
    def then(self, telemetry):
        return replace(self.knobs, floor=np.full(self.knobs.floor.shape, "many"))


class NoKnobs(Step):
    def then(self, telemetry):
        return {"floor": 1}


class Bomb:
    """What would run where it is unpickled."""

    def __reduce__(self):
        return os._exit, (77,)


class SendsABomb(Step):
    def then(self, telemetry):
        return Bomb()


def line():
    """The line to the evaluation, as a socket."""
    from multiprocessing.connection import Connection

    (mine,) = (thing for thing in gc.get_objects() if isinstance(thing, Connection) and not thing.closed and thing.writable)
    return mine


def played():
    """What answers in this process."""
    (found,) = (thing for thing in gc.get_objects() if isinstance(thing, Played))
    return found


class SaysHalf(Step):
    """Writes the head of a long message, and no more."""

    def then(self, telemetry):
        os.write(line().fileno(), b"\x00\x00\xff\xff{")
        time.sleep(60)


class SaysTooMuch(Step):
    def then(self, telemetry):
        line().send_bytes(b"x" * (1 << 25))
        time.sleep(60)


class SaysAPickle(Step):
    def then(self, telemetry):
        played().box.reply(pickle.dumps(Bomb()), 0.0)
        time.sleep(60)


class SaysAnOddOrder(Step):
    """Packs knobs itself, with an order of admission that there is not."""

    def then(self, telemetry):
        from sageserve_env.evaluation.locked.actions import ORDER, said_of

        played().box.reply(played()._replies.pack({**said_of(self.knobs), ORDER: 9}), 0.0)
        time.sleep(60)


class SaysDeeply(Step):
    def then(self, telemetry):
        played().box.reply(b'{"said": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", 0.0)
        time.sleep(60)


class SaysAnOddLength(Step):
    """Claims more than the box holds."""

    def then(self, telemetry):
        words = played().box._words
        words[LENGTH], words[ANSWERED] = 1 << 40, words[ASKED]
        time.sleep(60)


class SaysAnOddTime(Step):
    """Says of its decisions that they took no number of seconds,."""

    def then(self, telemetry):
        box = played().box
        box.reply = lambda said, took_s: Mailbox.reply(box, said, float("nan"))
        return self.knobs


class Dawdles(Holds):
    """Takes a second for each action."""

    def act(self, observation, mask):
        time.sleep(1.0)
        return super().act(observation, mask)


class SaysALot(Holds):
    """Gives an action that does not fit into the box."""

    def act(self, observation, mask):
        return np.zeros(100_000)


class RefusesReset(Controls):
    def reset(self, scenario, rng):
        raise OSError("no")


class OutOfRange(Holds):
    def act(self, observation, mask):
        return np.full(mask.shape[0], 99)


class Halves(Holds):
    def act(self, observation, mask):
        return np.full(mask.shape[0], 0.5)


class Nothing(Holds):
    def act(self, observation, mask):
        return None


class WritesOnObservations(Holds):
    def act(self, observation, mask):
        observation[0] = 1.0
        return super().act(observation, mask)


class WorldView(Holds):
    VIEW = {"world": "published"}  # noqa: RUF012


class OddView(Holds):
    VIEW = {"action_mode": "wishes"}  # noqa: RUF012


class NoPolicy:
    pass


class NeedsMore(Holds):
    def __init__(self, size):
        self.size = size
