//! Layers unpacked into the cache, once, by digest.
