//! Containerfiles: lines, instructions, words, and what they do to a config.
