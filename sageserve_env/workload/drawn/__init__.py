"""Workloads whose requests are drawn: intensities, sizes, random numbers, and the kernel that draws."""
