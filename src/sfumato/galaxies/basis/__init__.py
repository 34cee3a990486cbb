"""Stamps in a hundred numbers: a linear basis, its emulator, the Bayesian floor."""
