"""What held-out truths ask of a prediction: sharpening, conformal levels."""
