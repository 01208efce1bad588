"""What an agent sees: the kernel's entries, forecasts of demand, and the form in which both are shown."""
