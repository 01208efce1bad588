"""Ready-made worlds."""
