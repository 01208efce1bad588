"""The real traffic that comes with the package, one file for each source."""
