"""Bounds: policies that know the future, or were found by trying."""
