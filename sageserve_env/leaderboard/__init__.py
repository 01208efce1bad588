"""The leaderboard: submissions that hold actions and no scores, and all that is computed from them (``docs/leaderboard.md``)."""
