"""Offline data: episodes of mixed behaviours as Minari datasets, with where they come from; metadata of the data shipped."""
