"""Files to arrays and PDFs, and back; the only place that opens files."""
