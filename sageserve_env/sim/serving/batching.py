"""One instance at work: requests join the shortest queue, are admitted to a running batch, and complete (paper section 4)."""

from __future__ import annotations

from sageserve_env.compile import kernel
from sageserve_env.sim.events import NEVER_S, schedule
from sageserve_env.sim.instances.usage import draw
from sageserve_env.sim.instances.vms import donate, source_of, take_kv
from sageserve_env.sim.requests import queues
from sageserve_env.sim.requests.admission import earliest_arrival, is_old, next_queue
from sageserve_env.sim.requests.breaches import book_breach, decodes_late
from sageserve_env.sim.requests.niw import signal
from sageserve_env.sim.requests.routing import pay_egress, write_log
from sageserve_env.sim.serving import heap
from sageserve_env.sim.serving.latency import bin_of
from sageserve_env.sim.serving.timing import decode_iteration_s, iterations_until, prefill_iteration_s, run_s, tokens_to_prefill
from sageserve_env.sim.state import DECODE_QUEUE, DRAINING, E2E, FCFS, N_TIERS, NIW, NONE, TPOT, TTFT, Sim


@kernel
def reach_region(s: Sim, way: int) -> None:
    """The first request on a way reaches its region and joins an instance."""
    transit = s.transit[way]
    slot = queues.pop(s.flight, transit)
    schedule(s.event, way, NEVER_S if transit.head == NONE else s.flight[transit.head].reach_s)
    request = s.flight[slot]
    lane = s.lane[request.endpoint * N_TIERS + request.tier]
    lane.routed += 1
    lane.routed_tokens += request.prompt
    lane.waiting += 1
    lane.waiting_tokens += request.prompt
    join(s, slot)


@kernel
def join(s: Sim, slot: int) -> None:
    """Give a request to an instance of its endpoint, or hold it until one can take it."""
    request = s.flight[slot]
    vm = shortest_queue(s, request.endpoint, request.prompt + request.output)
    if vm == NONE:
        queues.append(s.flight, s.held[request.endpoint], slot)
    else:
        assign(s, vm, slot)


@kernel
def join_held(s: Sim, endpoint: int) -> None:
    """Offer the requests that an endpoint holds to its instances once more, in order."""
    held = s.held[endpoint]
    last = held.tail
    slot = NONE
    while slot != last:
        slot = queues.pop(s.flight, held)
        join(s, slot)


@kernel
def shortest_queue(s: Sim, endpoint: int, tokens: int) -> int:
    """The active instance with the fewest pending tokens among those whose KV memory could hold ``tokens``; first wins."""
    best, fewest = NONE, 1 << 62
    first, last = shortest_group(s, endpoint, tokens)
    for place in range(first, last):
        vm = s.member[endpoint, place]
        inst = s.instance[vm]
        if inst.pending_tokens < fewest and inst.kv_capacity >= tokens:
            best, fewest = vm, inst.pending_tokens
    return best


@kernel
def shortest_group(s: Sim, endpoint: int, tokens: int) -> tuple[int, int]:
    """First and last place (exclusive) of the group to choose in: the one with the least work outside a batch at an instance."""
    n, size = s.endpoint[endpoint].active, s.settings[0].group_size
    if size == 0 or n <= size:
        return 0, n
    whole = (n - (size - 1) * (-n % size)) // size  # the other groups are one smaller
    best, fewest, first = 0, 1 << 62, 0
    best_end = n
    group = 0
    while first < n:
        end = min(n, first + (size if group < whole else size - 1))
        for place in range(first, end):
            inst = s.instance[s.member[endpoint, place]]
            outside = inst.pending_tokens - inst.prefill_tokens - inst.decodes
            if outside < fewest and inst.kv_capacity >= tokens:
                best, best_end, fewest = first, end, outside
        first = end
        group += 1
    return best, best_end


@kernel
def assign(s: Sim, vm: int, slot: int) -> None:
    """A request waits at an instance: an idle one starts at once, a decoding one stops at its next iteration boundary."""
    inst, request = s.instance[vm], s.flight[slot]
    request.vm = vm
    inst.pending_tokens += request.prompt + 1
    cuts = is_cut_by(s, vm, slot)
    queues.insert(s.flight, s.queue[vm, request.tier], slot)
    inst.waiting += 1
    if inst.prefills + inst.decodes == 0:
        start_iteration(s, vm)
    elif cuts:
        cut_run(s, vm)


@kernel
def is_cut_by(s: Sim, vm: int, slot: int) -> bool:
    """Whether a new request may be admitted at the next boundary of a run; if not, the run goes on unchanged.

    It is not when no memory or no place in the batch is left, or when others wait already that the last boundary turned away.
    """
    inst, request = s.instance[vm], s.flight[slot]
    if inst.prefills > 0 or inst.is_cut or inst.decodes >= s.settings[0].max_batch:
        return False
    if s.queue[vm, DECODE_QUEUE].head != NONE or (s.clock[0].order == FCFS and comes_behind(s, vm, slot)):
        return False
    return inst.kv_used + admission_tokens(s, request.prompt, request.output) <= inst.kv_capacity


@kernel
def comes_behind(s: Sim, vm: int, slot: int) -> bool:
    """Whether, first come, first served, a new request is admitted after one that waits already."""
    if is_old(s, slot):
        return False
    first = earliest_arrival(s.flight, s.queue[vm])
    return first != NONE and s.flight[s.queue[vm, first].head].key_s <= s.flight[slot].key_s


@kernel
def cut_run(s: Sim, vm: int) -> None:
    """End a run of decode iterations at the next iteration boundary."""
    inst = s.instance[vm]
    iterations = iterations_until(inst.run_start_s, inst.iteration_s, inst.growth_s, s.clock[0].now_s) + 1
    inst.is_cut = 1
    if iterations < inst.run_iterations:
        inst.run_iterations = iterations
        schedule(s.event, source_of(s, vm), inst.run_start_s + run_s(inst.iteration_s, inst.growth_s, iterations))


@kernel
def admission_tokens(s: Sim, prompt: int, output: int) -> int:
    """KV tokens that a request takes when it is admitted."""
    return prompt + 1 if s.settings[0].two_step else prompt + output


@kernel
def decode_tokens(s: Sim, output: int) -> int:
    """KV tokens that a request takes when it starts to decode."""
    return output - 1 if s.settings[0].two_step else 0


@kernel
def iteration_end(s: Sim, vm: int) -> None:
    """A run of iterations ends: prefilled requests have their first token, finished ones leave, and the next run starts."""
    inst = s.instance[vm]
    inst.iteration += inst.run_iterations
    inst.context_tokens += inst.decodes * inst.run_iterations
    end_prefills(s, vm)
    members = s.batch[vm]
    while inst.decodes > 0 and heap.first_iteration(members) == inst.iteration:
        slot = heap.pop(members, inst.decodes)
        inst.decodes -= 1
        inst.context_tokens -= s.flight[slot].prompt + s.flight[slot].output
        complete(s, vm, slot)
    start_iteration(s, vm)


@kernel
def end_prefills(s: Sim, vm: int) -> None:
    """Prefilled members of the batch have their first token; they wait to decode, or are done if it was their only one.

    The iteration's budget goes to the members in order, so the last of them alone can be left with a part of its prompt.
    """
    inst = s.instance[vm]
    tokens = tokens_to_prefill(s, vm)
    inst.prefill_tokens -= tokens
    inst.pending_tokens -= tokens
    tokens += inst.prefilled
    while inst.prefill_head != NONE and s.flight[inst.prefill_head].prompt <= tokens:
        slot = inst.prefill_head
        tokens -= s.flight[slot].prompt
        inst.prefill_head = s.flight[slot].next
        inst.prefills -= 1
        have_first_token(s, vm, slot)
    inst.prefilled = tokens
    if inst.prefill_head == NONE:
        inst.prefill_tail = NONE


@kernel
def have_first_token(s: Sim, vm: int, slot: int) -> None:
    """A prefilled request has its first token."""
    request, now_s = s.flight[slot], s.clock[0].now_s
    request.first_token_s = min(request.first_token_s, now_s)  # a preempted request has had its first token before
    if request.tier != NIW and request.first_token_s - request.arrival_s > s.tier[request.tier].slo_s:
        book_breach(s, slot)
    if request.output == 1:
        complete(s, vm, slot)
    else:
        queues.append(s.flight, s.queue[vm, DECODE_QUEUE], slot)


@kernel
def start_iteration(s: Sim, vm: int) -> None:
    """Admit what waits and start the next run; an instance left with nothing idles, and becomes spot if it was draining."""
    inst, now_s = s.instance[vm], s.clock[0].now_s
    admit(s, vm)
    if s.settings[0].has_power:
        draw(s, vm)
    inst.is_cut = 0
    inst.run_start_s = now_s
    if inst.prefills > 0:
        inst.run_iterations = 1
        inst.iteration_s = prefill_iteration_s(s, vm)
    elif inst.decodes > 0:
        inst.run_iterations = heap.first_iteration(s.batch[vm]) - inst.iteration
        inst.iteration_s = decode_iteration_s(s, inst.profile, inst.decodes, inst.context_tokens)
        inst.growth_s = inst.decodes * s.profile[inst.profile].context_token_s
    elif inst.state == DRAINING:
        donate(s, vm)
        return
    else:
        schedule(s.event, source_of(s, vm), NEVER_S)
        return
    inst.iteration_s += s.settings[0].overhead_s
    schedule(s.event, source_of(s, vm), now_s + run_s(inst.iteration_s, inst.growth_s, inst.run_iterations))


@kernel
def admit(s: Sim, vm: int) -> None:
    """Admit waiting work in order until one does not fit, the batch is full, or the iteration's budget of tokens is used."""
    inst, max_batch, budget_tokens = s.instance[vm], s.settings[0].max_batch, s.settings[0].budget_tokens
    while inst.prefills + inst.decodes < max_batch:
        queue = next_queue(s, vm)
        if queue == NONE or (queue != DECODE_QUEUE and inst.prefill_tokens + inst.decodes >= budget_tokens):
            return
        request = s.flight[s.queue[vm, queue].head]
        tokens = tokens_to_take(s, queue, request.prompt, request.output)
        if inst.kv_used + tokens > inst.kv_capacity:
            if queue != DECODE_QUEUE or inst.prefills + inst.decodes > 0:
                return
            preempt(s, vm)
            continue
        slot = queues.pop(s.flight, s.queue[vm, queue])
        take_kv(s, vm, tokens)
        if queue == DECODE_QUEUE:
            start_decode(s, vm, slot)
        else:
            start_prefill(s, vm, slot)


@kernel
def tokens_to_take(s: Sim, queue: int, prompt: int, output: int) -> int:
    """KV tokens that the head of a list takes when it joins the batch."""
    return decode_tokens(s, output) if queue == DECODE_QUEUE else admission_tokens(s, prompt, output)


@kernel
def start_prefill(s: Sim, vm: int, slot: int) -> None:
    """A waiting request joins the batch to be prefilled."""
    inst, request = s.instance[vm], s.flight[slot]
    inst.waiting -= 1
    lane = s.lane[request.endpoint * N_TIERS + request.tier]
    lane.waiting -= 1
    lane.waiting_tokens -= request.prompt
    lane.running += 1
    request.prefill_start_s = min(request.prefill_start_s, s.clock[0].now_s)  # the first, where it was preempted since
    request.next = NONE
    if inst.prefills == 0:
        inst.prefill_head = slot
    else:
        s.flight[inst.prefill_tail].next = slot
    inst.prefill_tail = slot
    inst.prefills += 1
    inst.prefill_tokens += request.prompt


@kernel
def start_decode(s: Sim, vm: int, slot: int) -> None:
    """A prefilled request joins the batch to decode the rest of its output."""
    inst, request = s.instance[vm], s.flight[slot]
    request.decode_start_s = s.clock[0].now_s
    inst.context_tokens += request.prompt + 1
    heap.push(s.batch[vm], inst.decodes, inst.iteration + request.output - 1, slot)
    inst.decodes += 1


@kernel
def preempt(s: Sim, vm: int) -> None:
    """Prefilled requests fill the memory and none can decode: the last of them gives way and will be prefilled anew."""
    inst = s.instance[vm]
    slot = queues.pop_last(s.flight, s.queue[vm, DECODE_QUEUE])
    request = s.flight[slot]
    take_kv(s, vm, -admission_tokens(s, request.prompt, request.output))
    inst.pending_tokens += request.prompt
    inst.waiting += 1
    lane = s.lane[request.endpoint * N_TIERS + request.tier]
    lane.waiting += 1
    lane.waiting_tokens += request.prompt
    lane.running -= 1
    queues.insert(s.flight, s.queue[vm, request.tier], slot)
    s.clock[0].preempted += 1


@kernel
def complete(s: Sim, vm: int, slot: int) -> None:
    """A request has its last token: its memory is free, and the queue of non-interactive requests hears of it."""
    inst, request = s.instance[vm], s.flight[slot]
    endpoint = inst.endpoint
    inst.pending_tokens -= 1
    if s.settings[0].has_egress:
        pay_egress(s, slot, inst.region, request.origin, request.output)
    take_kv(s, vm, -(request.prompt + request.output))
    record(s, endpoint * N_TIERS + request.tier, slot)
    write_log(s, slot, False)
    queues.free_slot(s, slot)
    s.clock[0].completed += 1
    signal(s, endpoint)


@kernel
def record(s: Sim, lane_index: int, slot: int) -> None:
    """Count a completed request and its latencies."""
    request, lane = s.flight[slot], s.lane[lane_index]
    ttft_s = request.first_token_s - request.arrival_s
    e2e_s = s.clock[0].now_s - request.arrival_s
    lane.running -= 1
    lane.completed += 1
    lane.prompt_tokens += request.prompt
    lane.output_tokens += request.output
    lane.ttft_sum_s += ttft_s
    lane.e2e_sum_s += e2e_s
    in_time = (e2e_s if request.tier == NIW else ttft_s) <= s.tier[request.tier].slo_s and not decodes_late(s, slot)
    if in_time and not request.breached:  # it may have been late before a fault took it
        lane.slo_met += 1
    else:
        book_breach(s, slot)
        lane.slo_unattainable += request.unattainable
    if request.output > 1:
        tpot_s = (s.clock[0].now_s - request.first_token_s) / (request.output - 1)
        lane.tpot_sum_s += tpot_s
        s.hist[lane_index, TPOT, bin_of(tpot_s)] += 1
    s.hist[lane_index, TTFT, bin_of(ttft_s)] += 1
    s.hist[lane_index, E2E, bin_of(e2e_s)] += 1
