"""Where galaxies come from: priors of their parameters, labelled images."""
