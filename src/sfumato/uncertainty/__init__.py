"""How many models there are, what each trains on, and what their spread is made to mean."""
