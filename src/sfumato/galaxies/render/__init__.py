"""Galaxies through a point-spread function onto pixels."""
