"""Sa2VA in PyTorch: knows nothing of napari, Qt or layers."""
