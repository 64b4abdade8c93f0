//! The model as its readers see it. What layers mean is the laws' to test.

use super::{Below, Inode, NodeId, NodeRef, Tree};
use crate::layer::apply::Problem;
use crate::tar::Kind;
use crate::tar::testing::entry;

/// Applies a layer of these members; each keeps its number.
fn apply(tree: &mut Tree<usize>, members: &[(&str, Kind)]) -> Result<(), Problem> {
    let mut layer = tree.begin();
    for (number, (path, kind)) in members.iter().enumerate() {
        layer.apply(&entry(path, kind.clone()), number)?;
    }
    layer.end().map_err(|(_, problem)| problem)
}

/// Every path, and the layer that wrote it.
fn names(tree: &Tree<usize>) -> Vec<(String, u32)> {
    fn walk(node: NodeRef<'_, usize>, above: &str, found: &mut Vec<(String, u32)>) {
        for (name, child) in node.children() {
            let path = format!("{above}{}", name.escape_ascii());
            found.push((path.clone(), child.layer()));
            walk(child, &format!("{path}/"), found);
        }
    }
    let mut found = Vec::new();
    walk(tree.root(), "", &mut found);
    found
}

fn link(target: &str) -> Kind {
    Kind::HardLink { target: target.into() }
}

#[test]
fn every_name_tells_which_layer_wrote_it() {
    let mut tree = Tree::new(Below::Nothing);
    let base = [
        ("etc", Kind::Directory),
        ("etc/old", Kind::File),
        ("etc/gone", Kind::File),
        ("d/f", Kind::File),
    ];
    apply(&mut tree, &base).unwrap();
    let changes = [("etc/.wh.gone", Kind::File), ("etc/new", link("old")), ("old", Kind::File)];
    apply(&mut tree, &changes).unwrap();
    apply(&mut tree, &[("d", Kind::Directory), ("etc/old", Kind::Fifo)]).unwrap();
    let expected = [("d", 3), ("d/f", 1), ("etc", 1), ("etc/new", 2), ("etc/old", 3), ("old", 2)];
    assert_eq!(names(&tree), expected.map(|(name, layer)| (name.to_owned(), layer)));
    let of = |path: &str| tree.get(&path.split('/').collect::<Vec<_>>()).unwrap();
    assert_eq!(of("etc/new").inode_id(), of("old").inode_id());
    let Inode { kind, content, .. } = of("etc/new").inode().unwrap();
    assert_eq!((kind, *content), (&Kind::File, 2));
}

#[test]
fn a_part_of_a_stack_remembers_what_it_hides_and_a_whole_one_does_not() {
    let layer = [("a", Kind::File), (".wh.b", Kind::File), ("d/.wh..wh..opq", Kind::File)];
    // A directory that may be below is nobody's, as long as no layer describes it.
    let stored = |below, directorys_layer| {
        let mut tree = Tree::new(below);
        apply(&mut tree, &layer).unwrap();
        assert_eq!(names(&tree), [("a".to_owned(), 1), ("d".to_owned(), directorys_layer)]);
        tree.node(NodeId::ROOT).children.len()
    };
    assert_eq!((stored(Below::Unknown, 0), stored(Below::Nothing, 1)), (3, 2));
    // Nor does a whole one take links to what may be below.
    let mut tree = Tree::new(Below::Unknown);
    apply(&mut tree, &[("a", link("b"))]).unwrap();
    let refused = apply(&mut Tree::new(Below::Nothing), &[("a", link("b"))]);
    assert!(matches!(refused, Err(Problem::LinkTargetMissing(target)) if target == b"b"));
}

#[test]
fn a_clone_and_its_original_go_separate_ways() {
    let mut tree = Tree::new(Below::Nothing);
    apply(&mut tree, &[("d/f", Kind::File), ("g", Kind::File)]).unwrap();
    let before = names(&tree);
    let mut clone = tree.clone();
    apply(&mut clone, &[("d/f/below", Kind::File), (".wh.g", Kind::File)]).unwrap();
    assert_eq!(names(&tree), before);
    clone.remove(NodeId::ROOT, b"d");
    assert_eq!(names(&clone), []);
    assert_eq!(names(&tree), before);
}

#[test]
fn what_layers_replace_takes_no_room() {
    let mut tree = Tree::new(Below::Nothing);
    let layer = [
        (".wh.d", Kind::File),
        ("d/e/f", Kind::File),
        ("d/e/g", link(".wh..wh.plnk/1")),
        (".wh..wh.plnk/1", Kind::File),
        ("h", Kind::Directory),
    ];
    apply(&mut tree, &layer).unwrap();
    apply(&mut tree, &layer).unwrap();
    let room = (tree.nodes.len(), tree.inodes.len());
    for _ in 0..100 {
        apply(&mut tree, &layer).unwrap();
    }
    assert_eq!((tree.nodes.len(), tree.inodes.len()), room);
}
