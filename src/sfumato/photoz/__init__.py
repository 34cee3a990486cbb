"""Photometric redshifts: bands, magnitudes, features, mock surveys, presets, reports."""
