//! What a name of an overlay is: looked up in one directory after the other, where
//! marks lead and until one hides the rest. The directories are made by hand, each
//! with what one rule is about.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use common::glob::Pattern;
use common::layer::diff::{ContentPolicy, Error, Options, overlay};
use common::tar::{Kind, Limits, Reader, Whole};
use support::mounts::sh;
use support::{List, members, try_overlay};

/// `upper` on `top` on `base`, as a script fills them; in it, `mark NAME VALUE FILE`
/// gives a file an attribute of overlay's. All times are one.
struct Layers {
    scratch: tempfile::TempDir,
}

impl Layers {
    fn new(script: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let script = format!(
            "mark() {{ setfattr -n \"user.overlay.$1\" -v \"$2\" \"$3\"; }}
            mkdir base top upper work; {script}
            find base top upper -exec touch -h -d '2020-01-02 03:04:05.25' {{}} +"
        );
        sh(scratch.path(), &script);
        Self { scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn try_changes(&self, lowers: &[&str], options: &Options) -> Result<Vec<String>, Error> {
        let lowers: Vec<_> = lowers.iter().map(|name| self.path(name)).collect();
        let lowers: Vec<&Path> = lowers.iter().map(PathBuf::as_path).collect();
        let mut list = List::default();
        overlay(&self.path("upper"), &lowers, options, &mut list)?;
        Ok(list.0)
    }

    fn changes(&self) -> Vec<String> {
        self.try_changes(&["base", "top"], &Options::default()).unwrap()
    }

    /// What the layer's files hold.
    fn files(&self) -> BTreeMap<String, String> {
        let [upper, base, top] = ["upper", "base", "top"].map(|name| self.path(name));
        let (layer, _) = try_overlay(&upper, &[&base, &top], &Options::default()).unwrap();
        let mut reader = Reader::new(&layer[..], Limits::default(), Whole::ByMarker);
        let mut files = BTreeMap::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            if entry.kind == Kind::File {
                let mut content = String::new();
                reader.content().read_to_string(&mut content).unwrap();
                files.insert(String::from_utf8(entry.path).unwrap(), content);
            }
        }
        files
    }
}

#[test]
fn what_is_below_a_whiteout_is_hidden() {
    let layers = Layers::new("mkdir upper/d base/d; : >base/d/x; : >top/.wh.d");
    assert_eq!(layers.changes(), ["A d"]);
}

#[test]
fn an_opaque_directory_is_what_it_lacks() {
    let layers = Layers::new(
        "mkdir upper/d upper/new base/d; for d in upper/d upper/new; do mark opaque y $d; done
        : >base/d/gone; : >base/d/same; : >upper/d/same; : >upper/new/n",
    );
    assert_eq!(layers.changes(), ["C d", "D d/gone", "A new", "A new/n"]);
    let alone = layers.try_changes(&[], &Options::default()).unwrap();
    assert_eq!(alone, ["A d", "O d", "A d/same", "A new", "O new", "A new/n"]);
}

#[test]
fn an_opaque_directory_of_fuse_overlayfs_is_one() {
    let opaque = "setfattr -n user.fuseoverlayfs.opaque -v y upper/d";
    let layers = Layers::new(&format!("mkdir upper/d base/d; : >base/d/gone; {opaque}"));
    assert_eq!(layers.changes(), ["C d", "D d/gone"]);
}

#[test]
fn a_file_hides_the_directories_below_it() {
    let layers = Layers::new("mkdir upper/d base/d; : >base/d/x; : >top/d");
    assert_eq!(layers.changes(), ["C d type"]);
}

#[test]
fn what_was_copied_up_is_a_change() {
    // Without the lower directories nobody knows which.
    let layers = Layers::new(
        "mkdir upper/d upper/new; : >upper/f
        mark origin x upper/d; mark origin x upper/f",
    );
    let changes = layers.try_changes(&[], &Options::default()).unwrap();
    assert_eq!(changes, ["C d", "C f", "A new"]);
}

#[test]
fn names_that_only_lower_directories_have_are_not_looked_at() {
    // Nothing in it can be wrong if nobody looks.
    let layers = Layers::new("mkdir upper/d base/d; echo x >base/d/.wh.x; : >upper/d/n");
    assert_eq!(layers.changes(), ["C d", "A d/n"]);
}

#[test]
fn a_link_that_only_the_lower_directories_have_is_seen() {
    // A mount shows two files; applied to the lower tree, they would stay one.
    let layers = Layers::new(
        "mkdir base/d base/h upper/d; echo x >base/d/f; ln base/d/f base/h/f
        cp -a base/d/f upper/d",
    );
    assert_eq!(layers.changes(), ["C h", "C h/f links"]);
}

#[test]
fn a_redirect_starts_at_the_root_of_what_is_below() {
    // What the directory's own name hides does not show, nor does what the upper
    // directory has where it leads.
    let layers = Layers::new(
        "mkdir -p base/p/e base/d upper/d upper/p; : >base/p/e/x; : >base/d/trap
        mark redirect /p/e upper/d; : >upper/p/.wh.e",
    );
    assert_eq!(layers.changes(), ["C d", "D d/trap", "A d/x", "C p", "D p/e"]);
    let layers = Layers::new(
        "mkdir base/e base/d upper/d; : >base/e/x; : >base/d/trap
        mark redirect e upper/d; : >upper/.wh.e",
    );
    assert_eq!(layers.changes(), ["D e", "C d", "D d/trap", "A d/x"]);
}

#[test]
fn a_redirect_leads_to_the_top_of_what_is_below() {
    let layers = Layers::new(
        "mkdir -p base/p/e top/p/e upper/d; echo base >base/p/e/f; echo top >top/p/e/f
        echo base >base/p/e/g; mark redirect /p/e upper/d",
    );
    let files = [("d/f", "top\n"), ("d/g", "base\n")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(layers.files(), BTreeMap::from(files));
}

#[test]
fn a_redirect_ends_where_the_way_is_hidden() {
    for hidden in ["mkdir top/p; mark opaque y top/p", ": >top/.wh.p", ": >top/p"] {
        let script = "mkdir -p base/p/e upper/d; : >base/p/e/x; mark redirect /p/e upper/d";
        let layers = Layers::new(&format!("{script}; {hidden}"));
        assert_eq!(layers.changes(), ["A d"], "{hidden}");
    }
}

#[test]
fn content_that_stayed_below_is_read_there() {
    let layers = Layers::new(
        "mkdir base/d; echo low >base/f; echo low >base/d/g; echo low >base/h
        truncate -s 4 upper/f top/h upper/h upper/moved
        mark metacopy '' upper/f; mark metacopy '' upper/h; mark metacopy '' top/h
        mark metacopy '' upper/moved; mark redirect /d/g upper/moved
        chmod 600 upper/f upper/h",
    );
    assert_eq!(layers.changes(), ["C f mode", "C h mode", "A moved"]);
    let names = ["f", "h", "moved"];
    assert_eq!(layers.files(), BTreeMap::from(names.map(|one| (one.into(), "low\n".into()))));
}

#[test]
fn content_that_stayed_below_is_compared_there() {
    let layers = Layers::new("echo low >base/f; truncate -s 4 upper/f; mark metacopy '' upper/f");
    let options = Options { content: ContentPolicy::Always, ..Options::default() };
    assert_eq!(layers.try_changes(&["base", "top"], &options).unwrap(), [""; 0]);
}

#[test]
fn content_that_is_not_where_it_should_be_is_refused() {
    let copy = "truncate -s 4 upper/f; mark metacopy '' upper/f";
    let none = "its content is in no lower directory";
    for (script, words) in [
        (copy.to_owned(), none),
        (format!("{copy}; mkdir base/f"), "the content of a file is a directory"),
        (format!("{copy}; ln -s g base/f; echo low >base/g"), "its content is no file"),
        // There is a whiteout: an empty file that is marked.
        (
            format!(
                "mkdir -p base/p top/p; echo low >base/p/f; {copy}; mark redirect /p/f upper/f
                mark opaque x top/p; : >top/p/f; mark whiteout y top/p/f"
            ),
            none,
        ),
        (
            format!(
                "echo low >base/g; {copy}; mark redirect /g upper/f
                mark opaque x top; : >top/g; mark whiteout y top/g"
            ),
            none,
        ),
    ] {
        let layers = Layers::new(&script);
        let error = layers.try_changes(&["base", "top"], &Options::default()).unwrap_err();
        assert!(matches!(error, Error::BrokenOverlay { .. }), "{script}: {error}");
        assert!(error.to_string().contains(words), "{script}: {error}");
    }
    for len in [3, 5] {
        let layers =
            Layers::new(&format!("{copy}; chmod 600 upper/f; head -c {len} /dev/zero >base/f"));
        let [upper, base] = ["upper", "base"].map(|name| layers.path(name));
        let error = try_overlay(&upper, &[&base], &Options::default()).unwrap_err();
        assert!(matches!(error, Error::Unstable { .. }), "{len}: {error}");
    }
}

#[test]
fn what_refers_to_lower_directories_needs_them() {
    for (script, name) in [
        ("mkdir upper/d; mark redirect /e upper/d", "d"),
        ("truncate -s 4 upper/f; mark metacopy '' upper/f", "f"),
    ] {
        let error = Layers::new(script).try_changes(&[], &Options::default()).unwrap_err();
        assert!(matches!(error, Error::LowerNeeded { .. }), "{error}");
        assert!(error.to_string().contains(&format!("upper/{name}")), "{error}");
    }
}

#[test]
fn marked_whiteouts_are_empty_and_in_marked_directories() {
    // In the root too, and by the mark that Linux 6.7 had.
    for (mark, at) in [("opaque x", ""), ("opaque x", "d/"), ("whiteouts y", "d/")] {
        let layers = Layers::new(&format!(
            "mkdir -p base/d upper/d; for n in a b; do echo low >base/{at}$n; : >upper/{at}$n
            mark whiteout y upper/{at}$n; done; echo new >upper/{at}b; mark {mark} upper/{at}."
        ));
        let mut expected = vec![format!("D {at}a"), format!("C {at}b")];
        if !at.is_empty() {
            expected.insert(0, "C d".to_owned());
        }
        let options = Options { content: ContentPolicy::Always, ..Options::default() };
        let changes = layers.try_changes(&["base", "top"], &options).unwrap();
        let changes: Vec<_> = changes
            .iter()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(changes, expected, "{mark}");
    }
}

#[test]
fn files_with_content_mark_nothing_whatever_they_are_called() {
    let layers = Layers::new(
        "mkdir base/d upper/d; : >base/d/a; echo x >upper/d/.wh..wh..opq
        mkdir base/e upper/e; : >base/e/a; echo x >top/.wh.e",
    );
    let options = Options { exclude: vec![Pattern::new(b".wh.*")], ..Options::default() };
    assert_eq!(layers.try_changes(&["base", "top"], &options).unwrap(), [""; 0]);
}

#[test]
fn the_longest_name_may_be_a_directorys() {
    let name = "n".repeat(255);
    let layers = Layers::new(&format!("mkdir upper/{name}"));
    assert_eq!(layers.changes(), [format!("A {name}")]);
}

#[test]
fn a_root_alone_is_recorded_where_that_is_asked_for() {
    let layers = Layers::new(":");
    let overlay_root = common::layer::diff::OverlayRoot::Recorded;
    let options = Options { overlay_root, ..Options::default() };
    let (layer, _) = try_overlay(&layers.path("upper"), &[], &options).unwrap();
    assert_eq!(members(&layer), ["./"]);
}

#[test]
fn links_that_a_mount_kept_need_all_of_its_directories() {
    let layers = Layers::new("mkdir work/index; : >upper/n");
    let with_work = || Options { overlay_work: Some(layers.path("work")), ..Options::default() };
    // It kept none.
    assert_eq!(layers.try_changes(&[], &with_work()).unwrap(), ["A n"]);
    // One, which is told apart from others by its number alone.
    let copy = "work/index/00fb1d000100000000000000000000000000000000499b9900c2964f69";
    fs::write(layers.path(copy), "").unwrap();
    let error = layers.try_changes(&[], &with_work()).unwrap_err();
    assert!(matches!(error, Error::HiddenNames { .. }), "{error}");
    assert_eq!(layers.try_changes(&["base", "top"], &with_work()).unwrap(), ["A n"]);
    let error = layers.try_changes(&["base", "/proc"], &with_work()).unwrap_err();
    assert!(matches!(error, Error::BrokenOverlay { .. }), "{error}");
    // Names that are counted, and not there.
    let counted = Layers::new("echo x >base/f; echo y >upper/f; mark nlink U+1 upper/f");
    let error = counted.try_changes(&["base", "top"], &Options::default()).unwrap_err();
    assert!(matches!(error, Error::HiddenNames { .. }), "{error}");
    // Of a file below, whoever had it in an upper directory counted the names there.
    let counted = Layers::new(
        "mkdir base/e upper/d; : >base/e/f; mark nlink U+1 base/e/f
        mark redirect /e upper/d; : >upper/.wh.e",
    );
    assert_eq!(counted.changes(), ["D e", "A d", "A d/f"]);
    // Some, perhaps: who knows, without the work directory.
    sh(layers.scratch.path(), "setfattr -n user.overlay.origin -v x upper");
    let error = layers.try_changes(&[], &Options::default()).unwrap_err();
    assert!(matches!(error, Error::HiddenNames { .. }), "{error}");
}
