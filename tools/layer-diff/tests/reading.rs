//! How the content of files comes into a layer: whole, in order, and of one moment.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::layer::diff::{Change, Error, Options, Sink, SinkError, trees};
use common::tar::Kind;

/// What is done to a file.
type Action<'a> = &'a dyn Fn(&Path);

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    /// Changes the file after so many of its bytes were read.
    struct Meddler<'a> {
        path: &'a Path,
        read_first: usize,
        action: Action<'a>,
    }
    impl Sink for Meddler<'_> {
        fn change(&mut self, mut change: Change<'_>) -> Result<(), SinkError> {
            if change.path == b"f" {
                change.content.read_exact(&mut vec![0; self.read_first])?;
                (self.action)(self.path);
                std::io::copy(&mut change.content, &mut std::io::sink())?;
            }
            Ok(())
        }
    }
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let append = |path: &Path| {
        let mut text = fs::read(path).unwrap();
        text.push(b'+');
        fs::write(path, text).unwrap();
    };
    let truncate = |path: &Path| fs::write(path, "").unwrap();
    let overwrite = |path: &Path| fs::write(path, "three").unwrap();
    let replace = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::write(path, "other").unwrap();
    };
    // Each of these shows in one field of the inode alone: its time, where a new name
    // has changed the ctime; the ctime, where the time was set back; its number.
    let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let set_time = |path: &Path, time| fs::File::open(path).unwrap().set_modified(time).unwrap();
    let overwrite_and_link = |path: &Path| {
        let later = time(path) + Duration::from_secs(1);
        overwrite(path);
        set_time(path, later);
        fs::hard_link(path, path.with_extension("link")).unwrap();
    };
    let overwrite_in_secret = |path: &Path| {
        let before = time(path);
        // Longer than a tick of the clock.
        thread::sleep(Duration::from_millis(30));
        overwrite(path);
        set_time(path, before);
    };
    let replace_in_secret = |path: &Path| {
        let (before, other) = (time(path), path.with_extension("other"));
        fs::write(&other, "three").unwrap();
        set_time(&other, before);
        fs::hard_link(&other, path.with_extension("link")).unwrap();
        fs::rename(other, path).unwrap();
    };
    let while_read: [Action<'_>; 5] =
        [&append, &truncate, &overwrite, &overwrite_and_link, &overwrite_in_secret];
    let before: [Action<'_>; 8] = [
        &append,
        &truncate,
        &overwrite,
        &overwrite_and_link,
        &overwrite_in_secret,
        &remove,
        &replace,
        &replace_in_secret,
    ];
    let cases = while_read.map(|action| (1, action)).into_iter();
    for (read_first, action) in cases.chain(before.map(|action| (0, action))) {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("f");
        fs::write(&file, "seven").unwrap();
        let mut meddler = Meddler { path: &file, read_first, action };
        let result = trees(None, scratch.path(), &Options::default(), &mut meddler);
        let is_named = match &result {
            Err(Error::Unstable { path } | Error::Read { path, .. }) => path.ends_with(b"/f"),
            _ => false,
        };
        assert!(is_named, "{result:?}");
    }
    // A name more is no change.
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("f");
    fs::write(&file, "seven").unwrap();
    let link = |path: &Path| fs::hard_link(path, path.with_extension("link")).unwrap();
    let mut meddler = Meddler { path: &file, read_first: 1, action: &link };
    trees(None, scratch.path(), &Options::default(), &mut meddler).unwrap();
}

#[test]
fn files_that_are_read_ahead_come_whole_and_in_order_up_to_the_one_that_changed() {
    /// Collects what files hold, and does something before any of them is read.
    struct Collector<'a> {
        first: Option<&'a dyn Fn()>,
        files: Vec<(String, Vec<u8>)>,
    }
    impl Sink for Collector<'_> {
        fn reads_content(&self) -> bool {
            true
        }

        fn change(&mut self, mut change: Change<'_>) -> Result<(), SinkError> {
            self.first.take().into_iter().for_each(|first| first());
            if change.entry.kind == Kind::File {
                let mut bytes = Vec::new();
                change.content.read_to_end(&mut bytes)?;
                self.files.push((String::from_utf8_lossy(change.path).into_owned(), bytes));
            }
            Ok(())
        }
    }
    let make = || {
        let scratch = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        for directory in 10..40 {
            fs::create_dir(scratch.path().join(directory.to_string())).unwrap();
            for file in 10..22_usize {
                let path = format!("{directory}/{file}");
                // Empty ones, small ones, and some that are too long to be read ahead.
                let len = if file == 20 { 100_000 + directory } else { (file - 10) * 37 };
                let bytes: Vec<u8> = (0..len).map(|at| (at * directory + file) as u8).collect();
                fs::write(scratch.path().join(&path), &bytes).unwrap();
                expected.push((path, bytes));
            }
        }
        (scratch, expected)
    };
    let run = |root: &Path, first: Option<&dyn Fn()>| {
        let mut collector = Collector { first, files: Vec::new() };
        let result = trees(None, root, &Options::default(), &mut collector);
        (result, collector.files)
    };
    let (scratch, expected) = make();
    let (result, files) = run(scratch.path(), None);
    assert_eq!(result.unwrap().added, 1 + 30 + 360);
    assert!(files == expected);

    let overwrite = |path: &Path| {
        // Only its times tell.
        let len = fs::read(path).unwrap().len();
        fs::write(path, vec![b'x'; len]).unwrap();
    };
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let remove_all = |path: &Path| fs::remove_dir_all(path).unwrap();
    // Another directory with the same files.
    let exchange = |path: &Path| {
        let away = path.with_extension("away");
        fs::rename(path, &away).unwrap();
        fs::create_dir(path).unwrap();
        for entry in fs::read_dir(away).unwrap() {
            let entry = entry.unwrap();
            fs::hard_link(entry.path(), path.join(entry.file_name())).unwrap();
        }
    };
    let cases: [(&str, Action<'_>); 5] = [
        ("10/11", &overwrite),
        ("31/17", &remove),
        ("39/20", &overwrite),
        ("22", &remove_all),
        ("22", &exchange),
    ];
    for (name, action) in cases {
        let (scratch, expected) = make();
        let path = scratch.path().join(name);
        let (result, files) = run(scratch.path(), Some(&|| action(&path)));
        let is_named = match &result {
            Err(Error::Unstable { path: found } | Error::Read { path: found, .. }) => {
                found.starts_with(path.as_os_str().as_encoded_bytes())
            }
            _ => false,
        };
        assert!(is_named, "{name}: {result:?}");
        let before = expected.iter().position(|(path, _)| path.starts_with(name)).unwrap();
        assert!(files.len() == before && files == expected[..before], "{name}: {}", files.len());
    }
}

fn spawn(directory: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_layer-diff"))
        .arg("tree")
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_layer_in_a_pipe_is_the_layer_in_a_file() {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    fs::create_dir(&tree).unwrap();
    // Around the lengths up to which files are read ahead, and that a pipe holds.
    for (name, len) in [("a", 65_536), ("b", 65_537), ("c", 5), ("d", 3 << 20), ("e", 1_048_577)] {
        let bytes: Vec<u8> = (0..len).map(|at: usize| (at * 7 + at / 251) as u8).collect();
        fs::write(tree.join(name), bytes).unwrap();
    }
    let status = Command::new(env!("CARGO_BIN_EXE_layer-diff"))
        .args(["-o", "layer", "tree"])
        .current_dir(scratch.path())
        .status()
        .unwrap();
    assert!(status.success());
    let output = spawn(scratch.path()).wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout == fs::read(scratch.path().join("layer")).unwrap());
}

#[test]
fn a_file_that_changes_when_it_is_in_a_pipe_is_an_error() {
    // All of the layer is in the pipe, or the file alone.
    for after_len in [0, 3 << 20] {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("f"), vec![b'1'; 300_000]).unwrap();
        fs::write(tree.join("g"), vec![b'1'; after_len]).unwrap();
        let mut child = spawn(scratch.path());
        let mut stdout = child.stdout.take().unwrap();
        // Nobody reads: what the pipe holds of it by now is all that it will.
        while rustix::io::ioctl_fionread(&stdout).unwrap() < 32 << 10 {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(50));
        fs::write(tree.join("f"), vec![b'2'; 300_000]).unwrap();
        let mut layer = Vec::new();
        stdout.read_to_end(&mut layer).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message, "layer-diff: tree/f: changed while it was being read\n");
    }
}

#[test]
fn few_descriptors_are_enough_for_many_directories() {
    let scratch = tempfile::tempdir().unwrap();
    // Times of whole seconds, so that all files are read.
    let script = "mkdir a; cd a
        for d in $(seq 300); do mkdir $d; echo $d >$d/f; echo $d >$d/g; done
        find . -exec touch -hd @1000000000 {} +
        cd ..; cp -a a b; echo 8 >b/9/f; touch -d @1000000000 b/9/f
        ulimit -n 96; \"$0\" --list a b; \"$0\" b >layer; \"$0\" b | cmp - layer";
    let output = Command::new("sh")
        .args(["-ec", script, env!("CARGO_BIN_EXE_layer-diff")])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "C /9\nC /9/f\n");
}
