//! A layer applied to a directory (image-spec layer.md, "Applying Changesets").
