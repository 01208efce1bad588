"""One instance at work: batches, how long their iterations take, and how long requests took."""
