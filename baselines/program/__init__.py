"""The integer program that sets instance counts (paper section 6): how many instances of each model, where, on which VMs.

Indices: model i (I), region j (J), VM type k (K), window w (W). With n current instances and an integer change delta::

    minimise    sum alpha_k delta_ijk + sum sigma_ik max(0, delta_ijk)
    subject to  local     sum_k theta_ik (n + delta)_ijk >= epsilon rho_ij(w)           for every i, j, w
                global    sum_jk theta_ik (n + delta)_ijk >= sum_j rho_ij(w)            for every i, w
                minimum   sum_k (n + delta)_ijk >= minimum_ij                           for every i, j
                capacity  sum_i (n + delta)_ijk <= capacity_jk                          for every j, k

The supply does not depend on w: the local constraint binds only at a region's busiest window and the global one only at the
busiest window of the regions' sum, so those alone are kept, with no loss.

Where no plan meets all of it, capacity holds and the other constraints may give: first the least shortfall in tokens/s, local and
global summed (a missing minimum instance counts as the tokens/s that one instance of its model serves on its best type), then,
among the plans of that shortfall, the least cost. Each is a solve of its own: in effect shortfall has a price above any cost.
``Plan`` reports what is missing.
"""

from baselines.program.plan import Plan, solve_plan
from baselines.program.problem import PlanProblem

__all__ = ["Plan", "PlanProblem", "solve_plan"]
