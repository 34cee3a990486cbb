"""From a stamp to parameters: scene, likelihood, bound, maximum likelihood."""
