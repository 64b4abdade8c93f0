//! The changeset between two trees (image-spec layer.md, "Determining Changes").
