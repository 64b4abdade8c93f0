//! A command in namespaces of its own.
