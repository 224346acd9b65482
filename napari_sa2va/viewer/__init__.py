"""The only room that touches napari's layers: what the model sees, and where its results go."""
