"""Physics-informed networks: PDEs solved by nets whose derivatives to the inputs are in the loss."""
