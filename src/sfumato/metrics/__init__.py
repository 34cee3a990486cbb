"""Numbers about predictions and truths; no drawing."""
