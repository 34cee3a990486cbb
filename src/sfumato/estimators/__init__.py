"""scikit-learn's face: options, targets, fitting without scikit-learn, regressor and classifier."""
