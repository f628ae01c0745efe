"""Live streams: committed changes in their order, and the snapshots that they build on."""
