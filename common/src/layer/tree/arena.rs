//! Values by number, in chunks that clones share until one of them writes to one.

use std::sync::Arc;

/// How many values a chunk holds: few enough to be copied for one write, and so many
/// that a clone of a large arena is cheap.
const CHUNK_LEN: usize = 128;

/// Values that are numbered in the order in which they came, from 0.
#[derive(Debug)]
pub(super) struct Arena<T> {
    chunks: Vec<Arc<Vec<T>>>,
    len: u32,
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// The value of this number, which was given out by this arena or one that it is
    /// a clone of.
    pub(super) fn get(&self, number: u32) -> &T {
        let index = number as usize;
        &self.chunks[index / CHUNK_LEN][index % CHUNK_LEN]
    }
}

impl<T: Clone> Arena<T> {
    pub(super) fn get_mut(&mut self, number: u32) -> &mut T {
        let index = number as usize;
        &mut Arc::make_mut(&mut self.chunks[index / CHUNK_LEN])[index % CHUNK_LEN]
    }

    /// Adds a value, and gives its number. Memory ends long before numbers do.
    pub(super) fn push(&mut self, value: T) -> u32 {
        let number = self.len;
        self.len += 1;
        match self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK_LEN) {
            Some(chunk) => Arc::make_mut(chunk).push(value),
            None => {
                // The first chunk grows as it is filled, as most trees are small.
                let mut chunk = match self.chunks.is_empty() {
                    true => Vec::new(),
                    false => Vec::with_capacity(CHUNK_LEN),
                };
                chunk.push(value);
                self.chunks.push(Arc::new(chunk));
            }
        }
        number
    }

    /// Calls `change` with every value.
    pub(super) fn for_each(&mut self, mut change: impl FnMut(&mut T)) {
        for chunk in &mut self.chunks {
            Arc::make_mut(chunk).iter_mut().for_each(&mut change);
        }
    }
}

impl<T> Clone for Arena<T> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, CHUNK_LEN};

    #[test]
    fn clones_share_what_neither_has_written_to() {
        let mut one = Arena::new();
        let len = u32::try_from(3 * CHUNK_LEN + 1).unwrap();
        for number in 0..len {
            assert_eq!(one.push(number), number);
        }
        let mut other = one.clone();
        *other.get_mut(5) = 1000;
        assert_eq!(other.push(2000), len);
        assert_eq!((*one.get(5), *other.get(5)), (5, 1000));
        assert_eq!((*one.get(len - 1), *other.get(len)), (len - 1, 2000));
        let shared = |number| std::ptr::eq(one.get(number), other.get(number));
        let first_of_second = u32::try_from(CHUNK_LEN).unwrap();
        assert!(!shared(0) && shared(first_of_second) && !shared(len - 1));
    }
}
