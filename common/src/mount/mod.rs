//! Overlay mounts by the new mount API.
