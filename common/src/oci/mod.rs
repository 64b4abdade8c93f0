//! The documents of an image: descriptor, manifest, index, config (image-spec).
