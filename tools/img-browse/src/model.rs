//! An image, read once: every name that ever was, with what the layers did to it.

use common::image::{Image, Reference};
use common::inside::{Change, Error, Inside, Past, Place, Reading, Waste};
use common::layer::tree::{Inode, InodeId};
use common::name::show;
use common::tar::Kind;

/// A change that a layer made to a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) layer: u32,
    pub(crate) change: Change,
    id: Option<InodeId>,
}

/// A name, in the order of a tree: a directory before what is in it.
#[derive(Debug)]
pub(crate) struct Name {
    /// The number of the directory that it is in; the root's is its own.
    pub(crate) parent: usize,
    pub(crate) depth: usize,
    pub(crate) name: Vec<u8>,
    pub(crate) children: Vec<usize>,
    events: Vec<Event>,
}

/// A layer, as text.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) step: String,
    pub(crate) content_bytes: u64,
}

/// An image.
#[derive(Debug)]
pub(crate) struct Model {
    /// In the user's words, harmless on a terminal.
    pub(crate) title: String,
    pub(crate) inside: Inside,
    pub(crate) layers: Vec<Layer>,
    /// The root is the first.
    pub(crate) names: Vec<Name>,
    pub(crate) waste: Waste,
}

/// The state of a name that is there: the description, if a layer has one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State<'m> {
    /// The layer that last wrote it.
    pub(crate) layer: u32,
    pub(crate) id: Option<InodeId>,
    pub(crate) inode: Option<&'m Inode<Place>>,
}

impl State<'_> {
    pub(crate) fn kind(&self) -> &Kind {
        self.inode.map_or(&Kind::Directory, |inode| &inode.kind)
    }

    /// The size of its content in bytes, if it is a file.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.inode.filter(|inode| inode.kind == Kind::File).map_or(0, |inode| inode.len_bytes)
    }
}

impl Model {
    pub(crate) fn read(
        reference: &Reference,
        image: Image,
        reading: Reading,
    ) -> Result<Self, Error> {
        let inside = Inside::read(image, None, reading)?;
        let paths = inside.tree.paths();
        let past = Past::of(&inside);
        let mut names: Vec<Name> = Vec::new();
        let mut numbers: Vec<usize> = Vec::new();
        let walked: Result<(), std::convert::Infallible> = paths.walk(|node, path| {
            let parent = paths.parent(node).and_then(|parent| numbers.get(parent.index()).copied());
            let parent = parent.unwrap_or(0);
            let number = names.len();
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
            let events = past.of_node(node);
            let event = |it: &common::inside::Event<'_>| Event {
                layer: it.layer,
                change: it.change,
                id: it.id,
            };
            let events = events.iter().map(event).collect();
            let depth =
                if number == 0 { 0 } else { names.get(parent).map_or(0, |it| it.depth + 1) };
            if number > 0 {
                if let Some(above) = names.get_mut(parent) {
                    above.children.push(number);
                }
            }
            if numbers.len() <= node.index() {
                numbers.resize(node.index() + 1, 0);
            }
            if let Some(slot) = numbers.get_mut(node.index()) {
                *slot = number;
            }
            names.push(Name { parent, depth, name, children: Vec::new(), events });
            Ok(())
        });
        match walked {
            Ok(()) => {}
            Err(never) => match never {},
        }
        let waste = Waste::of(&inside, &paths);
        let layers = inside.layers.iter().map(|sums| Layer {
            step: show(&sums.step.brief()).to_string(),
            content_bytes: sums.content_bytes,
        });
        let layers = layers.collect();
        let title = show(&reference.to_string()).to_string();
        Ok(Self { title, layers, names, waste, inside })
    }

    /// The state of a name after a layer, if it is there; 0 is before the first.
    pub(crate) fn state(&self, name: &Name, layer: u32) -> Option<State<'_>> {
        let event = name.events.iter().rev().find(|event| event.layer <= layer);
        match event {
            // A root that no layer describes is always there.
            None if name.depth == 0 => Some(State { layer: 0, id: None, inode: None }),
            None => None,
            Some(event) if event.change == Change::Deleted => None,
            Some(&Event { layer, id, .. }) => {
                Some(State { layer, id, inode: id.map(|id| self.inside.tree.inode(id)) })
            }
        }
    }

    /// The change that the layers after `from`, up to `to`, made to a name.
    pub(crate) fn events<'n>(
        &self,
        name: &'n Name,
        from: u32,
        to: u32,
    ) -> impl DoubleEndedIterator<Item = &'n Event> {
        name.events.iter().filter(move |event| event.layer > from && event.layer <= to)
    }

    /// The path of a name; the root's is empty.
    pub(crate) fn path(&self, mut number: usize) -> Vec<u8> {
        let mut parts = Vec::new();
        while let Some(name) = self.names.get(number).filter(|name| name.depth > 0) {
            parts.push(name.name.as_slice());
            number = name.parent;
        }
        parts.reverse();
        parts.join(&b'/')
    }

    /// The number of the name at a path.
    pub(crate) fn find(&self, path: &[u8]) -> Option<usize> {
        let mut at = 0;
        for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            let children = &self.names.get(at)?.children;
            let is_it = |child: &&usize| self.names.get(**child).is_some_and(|it| it.name == part);
            at = *children.iter().find(is_it)?;
        }
        Some(at)
    }
}
