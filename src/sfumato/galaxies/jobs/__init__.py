"""What the verbs for galaxies do, callable from Python."""
