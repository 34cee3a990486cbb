"""What one verb does, callable from Python: values in, values or files out, nothing printed."""
