"""Weights that make training rows look like the rows to predict."""
