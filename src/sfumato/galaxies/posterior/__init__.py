"""Posteriors of single galaxies: priors, importance sampling, chains."""
