"""Measurements: `python -m benchmarks NAME`. Compare figures as ratios, or medians of one run."""
