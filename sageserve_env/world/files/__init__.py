"""Worlds as files."""
