"""A plain instance of today's engines, iteration by iteration, with nothing clever in it: no runs, no closed forms, no counters.

Every iteration's length is added up anew from its members, token by token where the formula speaks of tokens. Requests come
straight to their instance, first come, first served, and none comes at the very instant at which an iteration ends.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sageserve_env.world.measured.profiles import evaluate
from sageserve_env.world.schema import Profile, World


@dataclass
class Request:
    """A request, and how far it is."""

    arrival_s: float
    prompt: int
    output: int
    prefilled: int = 0
    generated: int = 0
    prefill_start_s: float = math.inf
    first_token_s: float = math.inf
    decode_start_s: float = math.inf
    completion_s: float = math.inf
    instance: int = -1


@dataclass
class Instance:
    """One instance of the only model of a world of one VM type."""

    world: World
    seen: Counter[str]
    waiting: list[Request] = field(default_factory=list)
    prefilling: list[Request] = field(default_factory=list)
    ready: list[Request] = field(default_factory=list)
    decoding: list[Request] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)
    end_s: float = math.inf

    @property
    def pending(self) -> int:
        """Prompt tokens to prefill and requests not completed."""
        unfilled = sum(request.prompt - request.prefilled for request in self.waiting + self.prefilling)
        return unfilled + sum(len(members) for members in (self.waiting, self.prefilling, self.ready, self.decoding))

    @property
    def kv_used(self) -> int:
        """Tokens of memory in use."""
        admitted = sum(self.admission_tokens(request) for request in self.prefilling + self.ready)
        return admitted + sum(request.prompt + request.output for request in self.decoding)

    @property
    def kv_capacity(self) -> int:
        """Tokens of memory."""
        model = self.world.models[0]
        return int((self.world.vm_types[0].gpu_memory_bytes - model.weights_bytes) // model.kv_bytes_per_token)

    def admission_tokens(self, request: Request) -> int:
        """Memory of a request from its admission."""
        return request.prompt + (1 if self.world.serving.kv_admission == "two_step" else request.output)

    def room(self) -> float:
        """Tokens of the coming iteration that are nobody's yet."""
        budget = self.world.serving.prefill_budget_tokens
        used = sum(request.prompt - request.prefilled for request in self.prefilling) + len(self.decoding)
        return math.inf if budget is None else budget - used

    def admit(self, now_s: float) -> None:
        """Fill the batch: those that are ready to decode first, then those that wait."""
        while len(self.prefilling) + len(self.decoding) < self.world.serving.max_batch:
            if self.ready:
                request = self.ready[0]
                if self.kv_used - self.admission_tokens(request) + request.prompt + request.output > self.kv_capacity:
                    if self.prefilling or self.decoding:
                        return
                    self.preempt()
                    continue
                request.decode_start_s = now_s
                self.decoding.append(self.ready.pop(0))
            elif self.waiting and self.room() > 0:
                request = self.waiting[0]
                if self.kv_used + self.admission_tokens(request) > self.kv_capacity:
                    return
                request.prefill_start_s = min(request.prefill_start_s, now_s)
                self.prefilling.append(self.waiting.pop(0))
            else:
                return

    def preempt(self) -> None:
        """The last of the ready gives way, to be prefilled anew."""
        request = self.ready.pop()
        request.prefilled = request.generated = 0
        self.waiting = sorted([*self.waiting, request], key=lambda each: each.arrival_s)
        self.seen["preempted"] += 1

    def begin(self, now_s: float) -> None:
        """An iteration begins, or the instance idles."""
        self.admit(now_s)
        room = math.inf
        if self.world.serving.prefill_budget_tokens is not None:
            room = self.world.serving.prefill_budget_tokens - len(self.decoding)
        self.chunks = []
        for request in self.prefilling:
            self.chunks.append(int(min(request.prompt - request.prefilled, room)))
            room -= self.chunks[-1]
        self.seen["chunks"] += sum(chunk < request.prompt for chunk, request in zip(self.chunks, self.prefilling, strict=True))
        self.seen["mixed"] += bool(self.chunks) and bool(self.decoding)
        busy = self.prefilling or self.decoding
        self.end_s = now_s + self.iteration_s() + self.world.serving.iteration_overhead_s if busy else math.inf

    def iteration_s(self) -> float:
        """Length of the iteration, its overhead apart."""
        profile = self.world.models[0].profiles[self.world.vm_types[0].name]
        n, tokens = len(self.decoding), sum(self.chunks)
        if isinstance(profile, Profile):
            if not self.chunks:
                return float(evaluate(profile.decode, n))
            return float(evaluate(profile.prefill, tokens + n)) * (self.world.serving.mixed_factor if n else 1.0)
        context = sum(request.prompt + request.generated for request in self.decoding)
        before = sum(
            place
            for chunk, request in zip(self.chunks, self.prefilling, strict=True)
            for place in range(request.prefilled, request.prefilled + chunk)
        )
        decode_s = profile.sequence_s * n + profile.context_token_s * context
        return profile.base_s + decode_s + profile.prefill_token_s * tokens + profile.prefill_context_s * before

    def end(self) -> None:
        """The iteration has ended: each decoding member has one more token, and each chunk is prefilled."""
        now_s = self.end_s
        for request in self.decoding:
            request.generated += 1
        for chunk, request in zip(self.chunks, self.prefilling, strict=True):
            request.prefilled += chunk
            if request.prefilled == request.prompt:
                request.generated = 1
                request.first_token_s = min(request.first_token_s, now_s)
                self.ready.append(request)
        self.prefilling = [request for request in self.prefilling if request.prefilled < request.prompt]
        for members in (self.ready, self.decoding):
            for request in [each for each in members if each.generated == each.output]:
                request.completion_s = now_s
                members.remove(request)
        self.begin(now_s)


def serve(world: World, requests: list[Request]) -> Counter[str]:
    """Serve requests, in order of arrival, on the instances that the world's only endpoint starts with.

    Returns:
        How often what happened: ``"preempted"``, ``"chunks"`` that are less than a prompt, ``"mixed"`` iterations.
    """
    seen: Counter[str] = Counter()
    count = sum(pool.instances[world.models[0].name] for pool in world.pools)
    instances = [Instance(world, seen) for _ in range(count)]
    arrivals = iter(requests)
    coming = next(arrivals, None)
    earliest: Callable[[], Instance] = lambda: min(instances, key=lambda each: each.end_s)  # noqa: E731
    while coming is not None or earliest().end_s < math.inf:
        if coming is not None and coming.arrival_s < earliest().end_s:
            chosen = min(instances, key=lambda each: each.pending)
            coming.instance = instances.index(chosen)
            chosen.waiting.append(coming)
            if chosen.end_s == math.inf:
                chosen.begin(coming.arrival_s)
            coming = next(arrivals, None)
        else:
            earliest().end()
    return seen
