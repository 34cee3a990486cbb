"""Pictures: what to draw comes as arrays and PDFs, ink goes on axes; matplotlib only here."""
