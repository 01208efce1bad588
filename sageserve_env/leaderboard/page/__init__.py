"""The leaderboard as static pages: an index, a page for each problem, and a page for each policy on it with a day replayed."""
