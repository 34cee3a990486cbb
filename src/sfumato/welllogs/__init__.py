"""Well logs: LAS files in, a missing log with honest bands out."""
