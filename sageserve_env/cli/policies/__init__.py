"""Commands that play, tune, train and score policies."""
