//! Images by reference, wherever they are: store, layouts, archives.
