//! What the tests of the layerutils tools share: the binaries under test, sandboxes for them, peers.
