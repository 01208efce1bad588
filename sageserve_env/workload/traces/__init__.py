"""Requests on record: trace files of several kinds and layouts, read in blocks, replayed, and written."""
