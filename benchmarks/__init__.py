"""Measurements: `python -m benchmarks NAME`. Figures count as ratios or medians of one run."""
