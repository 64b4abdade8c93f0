//! Layers that are unpacked at the same time, and wait for those below where they
//! need them.

use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::entry::Layer;

/// What became of each layer so far, base first.
#[derive(Debug)]
pub(super) struct Stack {
    states: Mutex<Vec<State>>,
    changed: Condvar,
}

#[derive(Debug, Clone)]
enum State {
    Awaited,
    There(Layer),
    Failed,
}

impl Stack {
    /// `count` layers that are not there yet.
    pub(super) fn new(count: usize) -> Self {
        Self { states: Mutex::new(vec![State::Awaited; count]), changed: Condvar::new() }
    }

    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what became of the layer at `index`; `None` if it failed.
    pub(super) fn set(&self, index: usize, layer: Option<Layer>) {
        if let Some(state) = self.states().get_mut(index) {
            *state = layer.map_or(State::Failed, State::There);
        }
        self.changed.notify_all();
    }

    /// Tells that the layer at `index` failed, unless it is there when the result is
    /// dropped: whatever became of who was to unpack it.
    pub(super) fn promise(&self, index: usize) -> Promise<'_> {
        Promise { stack: self, index, layer: None }
    }

    /// The directories of the first `count` layers, base first, without those that
    /// a root above hides, once all of them are there.
    ///
    /// # Errors
    /// One of them failed.
    pub(super) fn wait(&self, count: usize) -> io::Result<Vec<PathBuf>> {
        let mut states = self.states();
        loop {
            let wanted = states.get(..count).unwrap_or_default();
            if wanted.iter().any(|state| matches!(state, State::Failed)) {
                return Err(io::Error::other("a layer below it cannot be unpacked"));
            }
            let there = |state: &State| match state {
                State::There(layer) => Some(layer.clone()),
                _ => None,
            };
            if let Some(layers) = wanted.iter().map(there).collect::<Option<Vec<_>>>() {
                return Ok(visible(layers));
            }
            states = self.changed.wait(states).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A layer that others may wait for.
#[derive(Debug)]
pub(super) struct Promise<'a> {
    stack: &'a Stack,
    index: usize,
    pub(super) layer: Option<Layer>,
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.stack.set(self.index, self.layer.take());
    }
}

/// An overlay's root cannot be opaque: what it would hide is left out.
fn visible(layers: Vec<Layer>) -> Vec<PathBuf> {
    let lowest = layers.iter().rposition(|layer| layer.opaque_root).unwrap_or_default();
    layers.into_iter().skip(lowest).map(|layer| layer.dir).collect()
}

#[cfg(test)]
mod tests {
    use super::{Layer, Stack};

    fn layer(name: &str, opaque_root: bool) -> Option<Layer> {
        Some(Layer { dir: name.into(), opaque_root })
    }

    #[test]
    fn a_layer_waits_for_those_below_and_sees_what_they_show() {
        let stack = Stack::new(3);
        stack.set(0, layer("a", false));
        assert_eq!(stack.wait(1).unwrap(), ["a"].map(std::path::PathBuf::from));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stack.wait(2).unwrap());
            stack.set(1, layer("b", true));
            assert_eq!(waiting.join().unwrap(), ["b"].map(std::path::PathBuf::from));
            let failing = scope.spawn(|| stack.wait(3));
            drop(stack.promise(2));
            assert!(failing.join().unwrap().is_err());
        });
    }
}
