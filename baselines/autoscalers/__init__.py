"""Autoscalers that clusters run today: Kubernetes' target tracking and KEDA's queues, deciding at each control instant."""

from baselines.autoscalers.hpa import HpaPolicy
from baselines.autoscalers.keda import KedaPolicy

__all__ = ["HpaPolicy", "KedaPolicy"]
