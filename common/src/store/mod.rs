//! The store: a plain OCI image layout, shared by any number of processes (image-spec image-layout.md).
