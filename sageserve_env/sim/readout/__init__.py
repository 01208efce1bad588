"""What is read out of the state: telemetry for policies, metrics and spending for reports."""
