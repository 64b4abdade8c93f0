//! A treemap: the tree of an image as rectangles whose areas are sizes, each directory
//! holding what is in it. Squarified (Bruls, Huizing, van Wijk: "Squarified Treemaps").
//!
//! Rectangles that are too small to be seen are not divided, so that the number of rectangles is
//! bounded by the area, whatever the image.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use common::inside::Inside;
use common::layer::tree::NodeId;
use common::tar::Kind;

/// A directory with a label has this much room above what is in it.
pub(crate) const LABEL_HEIGHT: f64 = 15.0;
/// The margin of what is in a directory.
const MARGIN: f64 = 1.5;
/// Below this side nothing is divided.
const MIN_SIDE: f64 = 8.0;
/// The shortest side of a tile that is drawn.
const MIN_TILE_SIDE: f64 = 2.0;
/// The narrowest tile with a label.
pub(crate) const MIN_LABEL_WIDTH: f64 = 40.0;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// A file or directory, and where it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tile {
    pub(crate) area: Area,
    /// The root's is empty.
    pub(crate) path: Vec<u8>,
    pub(crate) len_bytes: u64,
    /// The layer that wrote it, counted from 1, or most of the bytes in it; nothing for a
    /// directory whose content is drawn, too.
    pub(crate) layer: Option<u32>,
}

/// A name with its size.
struct Node<'t> {
    parent: usize,
    name: &'t [u8],
    len_bytes: u64,
    /// The layer that wrote it, if it is a file.
    layer: u32,
    children: Vec<usize>,
}

/// The tiles of an image's tree, a directory before what is in it.
pub(crate) fn tiles(inside: &Inside, whole: Area) -> Vec<Tile> {
    let nodes = nodes(inside);
    let mut tiles = Vec::new();
    let mut pending = vec![(0, whole, Vec::new())];
    while let Some((at, area, path)) = pending.pop() {
        let Some(node) = nodes.get(at) else { continue };
        let children = inner(area).map_or_else(Vec::new, |inner| children(&nodes, node, inner));
        let layer = children.is_empty().then(|| largest_layer(&nodes, at));
        for (child, area) in children {
            let mut path: Vec<u8> = path.clone();
            common::root::push(&mut path, nodes.get(child).map_or(b"", |it| it.name));
            pending.push((child, area, path));
        }
        tiles.push(Tile { area, path, len_bytes: node.len_bytes, layer });
    }
    tiles
}

/// Returns the layer that wrote most bytes of a file or directory: the lowest of several.
fn largest_layer(nodes: &[Node<'_>], at: usize) -> u32 {
    let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
    let mut pending = vec![at];
    while let Some(node) = pending.pop().and_then(|at| nodes.get(at)) {
        if node.children.is_empty() {
            let sum = sums.entry(node.layer).or_default();
            *sum = sum.saturating_add(node.len_bytes);
        }
        pending.extend(&node.children);
    }
    let largest = sums.into_iter().max_by_key(|&(layer, sum)| (sum, Reverse(layer)));
    largest.map_or(0, |(layer, _)| layer)
}

/// The children of a directory that can be seen, if they are most of it.
fn children(nodes: &[Node<'_>], node: &Node<'_>, room: Area) -> Vec<(usize, Area)> {
    let size = |&child: &usize| nodes.get(child).map_or(0, |child| child.len_bytes);
    let sizes: Vec<u64> = node.children.iter().map(size).collect();
    let all = node.children.iter().copied().zip(squarify(&sizes, room));
    let is_seen = |area: &Area| area.width >= MIN_TILE_SIDE && area.height >= MIN_TILE_SIDE;
    let seen: Vec<_> = all.filter(|(_, area)| is_seen(area)).collect();
    let covered: f64 = seen.iter().map(|(_, area)| area.width * area.height).sum();
    if covered < 0.5 * room.width * room.height { Vec::new() } else { seen }
}

/// The room in a directory for what is in it, if that can be seen.
fn inner(area: Area) -> Option<Area> {
    let top = if has_label(area) { LABEL_HEIGHT } else { MARGIN };
    let inner = Area {
        x: area.x + MARGIN,
        y: area.y + top,
        width: area.width - 2.0 * MARGIN,
        height: area.height - top - MARGIN,
    };
    (inner.width >= MIN_SIDE && inner.height >= MIN_SIDE).then_some(inner)
}

/// Whether a tile has room for a label.
pub(crate) fn has_label(area: Area) -> bool {
    area.width >= MIN_LABEL_WIDTH && area.height >= 1.5 * LABEL_HEIGHT
}

/// All names with content, each with its size and its children, the largest first.
fn nodes(inside: &Inside) -> Vec<Node<'_>> {
    let root = Node { parent: 0, name: b"", len_bytes: 0, layer: 0, children: Vec::new() };
    let mut nodes = vec![root];
    let mut pending = vec![(0, NodeId::ROOT)];
    let mut seen = std::collections::HashSet::new();
    while let Some((parent, id)) = pending.pop() {
        for (name, child) in inside.tree.at(id).children() {
            let mut node =
                Node { parent, name, len_bytes: 0, layer: child.layer(), children: Vec::new() };
            if child.is_directory() {
                pending.push((nodes.len(), child.id()));
            } else if let Some((id, inode)) = child.inode_id().zip(child.inode()) {
                let is_first = inode.names() == 1 || seen.insert(id);
                if inode.kind != Kind::File || inode.len_bytes == 0 || !is_first {
                    continue;
                }
                node.len_bytes = inode.len_bytes;
                node.layer = inode.content.layer;
            }
            nodes.push(node);
        }
    }
    // Children come after their parents.
    for at in (1..nodes.len()).rev() {
        let Some(&Node { parent, len_bytes, .. }) = nodes.get(at) else { continue };
        if let Some(above) = nodes.get_mut(parent).filter(|_| len_bytes > 0) {
            above.len_bytes = above.len_bytes.saturating_add(len_bytes);
            above.children.push(at);
        }
    }
    let sizes: Vec<u64> = nodes.iter().map(|node| node.len_bytes).collect();
    for node in &mut nodes {
        node.children.sort_by_key(|&child| Reverse(sizes.get(child).copied()));
    }
    nodes
}

/// Divides an area in proportion to `sizes`, which descend, into nearly square ones.
// Screens have fewer pixels than floats have digits.
#[allow(clippy::cast_precision_loss)]
fn squarify(sizes: &[u64], mut area: Area) -> Vec<Area> {
    let mut left: f64 = sizes.iter().map(|&size| size as f64).sum();
    let mut areas = Vec::with_capacity(sizes.len());
    let mut rest = sizes;
    while !rest.is_empty() && left > 0.0 {
        let scale = area.width * area.height / left;
        let side = area.width.min(area.height);
        let (mut sum, mut count, mut worst) = (0.0, 0, f64::INFINITY);
        for &size in rest {
            let next = sum + size as f64 * scale;
            let largest = rest.first().map_or(0.0, |&size| size as f64 * scale);
            let ratio = (side * side * largest / (next * next))
                .max(next * next / (side * side * (size as f64 * scale)));
            if ratio > worst {
                break;
            }
            (sum, count, worst) = (next, count + 1, ratio);
        }
        let count = count.max(1);
        let (row, later) = rest.split_at(count);
        let row_sum: f64 = row.iter().map(|&size| size as f64 * scale).sum();
        let thickness = if side > 0.0 { row_sum / side } else { 0.0 };
        let mut offset = 0.0;
        for &size in row {
            let len = if thickness > 0.0 { size as f64 * scale / thickness } else { 0.0 };
            areas.push(if area.width >= area.height {
                Area { x: area.x, y: area.y + offset, width: thickness, height: len }
            } else {
                Area { x: area.x + offset, y: area.y, width: len, height: thickness }
            });
            offset += len;
        }
        if area.width >= area.height {
            area = Area { x: area.x + thickness, width: area.width - thickness, ..area };
        } else {
            area = Area { y: area.y + thickness, height: area.height - thickness, ..area };
        }
        left -= row.iter().map(|&size| size as f64).sum::<f64>();
        rest = later;
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::{Area, squarify};

    #[test]
    fn areas_are_in_proportion_and_nearly_square() {
        let whole = Area { x: 0.0, y: 0.0, width: 6.0, height: 4.0 };
        let sizes = [6, 6, 4, 3, 2, 2, 1];
        let areas = squarify(&sizes, whole);
        assert_eq!(areas.len(), sizes.len());
        for (area, size) in areas.iter().zip(sizes) {
            assert!((area.width * area.height - f64::from(size as u32)).abs() < 1e-6, "{area:?}");
            let ratio = (area.width / area.height).max(area.height / area.width);
            assert!(ratio < 3.1, "{area:?}");
            assert!(area.x >= 0.0 && area.x + area.width < 6.0 + 1e-6, "{area:?}");
            assert!(area.y >= 0.0 && area.y + area.height < 4.0 + 1e-6, "{area:?}");
        }
    }

    #[test]
    fn no_size_breaks_it() {
        let whole = Area { x: 0.0, y: 0.0, width: 100.0, height: 100.0 };
        for sizes in [&[u64::MAX, u64::MAX, 1][..], &[1, 1, 1], &[0, 0], &[5, 0]] {
            for area in squarify(sizes, whole) {
                assert!(area.width.is_finite() && area.height.is_finite(), "{sizes:?}: {area:?}");
            }
        }
    }
}
