//! Streams, statuses, and what is left behind.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use common::compression::{Encoder, Format};

use crate::support::{Archive, Scratch, Way, feed, has_program, run, tool};

fn layer() -> Archive {
    Archive::new().dir("d").file("d/x", "content")
}

fn sha256(bytes: &[u8]) -> String {
    common::digest::Digest::of(bytes).to_string()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn packed(bytes: &[u8], format: Format) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), format, None).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn any_compression_is_taken_and_the_diff_id_is_printed() {
    let plain = layer().bytes();
    let (one, two) = plain.split_at(700);
    let mut skippable = b"\x50\x2a\x4d\x18\x04\0\0\0skip".to_vec();
    skippable.extend(packed(one, Format::Zstd));
    skippable.extend(packed(two, Format::Zstd));
    let mut streams = vec![
        plain.clone(),
        packed(&plain, Format::Gzip),
        packed(&plain, Format::Zstd),
        [packed(one, Format::Gzip), packed(two, Format::Gzip)].concat(),
        skippable,
    ];
    for program in ["xz", "bzip2"] {
        if has_program(program) {
            let output = feed(Command::new(program).arg("-c"), &plain);
            streams.push(output.stdout);
        }
    }
    for stream in streams {
        let scratch = Scratch::new(Way::Tool);
        let output = run(&[scratch.root()], &stream);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(stdout(&output), format!("{}\n", sha256(&plain)));
        assert_eq!(stderr(&output), "");
        assert_eq!(scratch.read("d/x"), "content");
    }
}

#[test]
fn what_trails_the_archive_counts_for_the_diff_id() {
    let mut bytes = layer().bytes();
    // More than all buffers on the way hold.
    bytes.resize(16 << 20, 7);
    let scratch = Scratch::new(Way::Tool);
    assert_eq!(stdout(&run(&[scratch.root()], &bytes)), format!("{}\n", sha256(&bytes)));
}

#[test]
fn several_layers_are_applied_in_order() {
    let scratch = Scratch::new(Way::Tool);
    let layers = [layer(), Archive::new().whiteout("d/.wh.x").file("y", "")];
    let path = scratch.path("first");
    fs::write(&path, layers[0].bytes()).unwrap();
    let new = scratch.path("new");
    let output = run(&[new.as_os_str(), path.as_os_str(), OsStr::new("-")], &layers[1].bytes());
    let ids: Vec<_> = layers.iter().map(|layer| sha256(&layer.bytes())).collect();
    assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), ids);
    assert!(scratch.has("new/y") && !scratch.has("new/d/x"));
    // Standard input cannot be read twice.
    let other = scratch.path("other");
    let output = run(&[other.as_os_str(), OsStr::new("-"), OsStr::new("-")], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(!scratch.has("other"));
}

#[test]
fn digests_are_verified() {
    let plain = layer().bytes();
    let gzip = packed(&plain, Format::Gzip);
    let good = [format!("--digest={}", sha256(&gzip)), format!("--diff-id={}", sha256(&plain))];
    let sha512 = Command::new("sha512sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut sha512 = sha512.unwrap();
    sha512.stdin.take().unwrap().write_all(&gzip).unwrap();
    let sha512 = String::from_utf8(sha512.wait_with_output().unwrap().stdout).unwrap();
    let good_512 = format!("--digest=sha512:{}", &sha512[..128]);
    for options in [&good[..1], &good[1..], &good[..], &[good_512]] {
        let scratch = Scratch::new(Way::Tool);
        let root = scratch.root();
        let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
        arguments.push(root.as_os_str());
        let output = run(&arguments, &gzip);
        assert!(output.status.success(), "{output:?}");
    }
    for option in ["--digest", "--diff-id"] {
        let scratch = Scratch::new(Way::Tool);
        let new = scratch.path("new");
        let wrong = format!("{option}={}", sha256(b"other"));
        let output = run(&[OsStr::new(&wrong), new.as_os_str()], &gzip);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains(&format!("mismatch: expected {}, got ", sha256(b"other")))
        );
        assert!(!scratch.has("new"));
        // More of them than there are layers.
        let output = run(&[OsStr::new(&wrong), OsStr::new(&wrong), new.as_os_str()], &gzip);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_layer_without_its_marker_needs_a_digest_or_an_option() {
    let whole = Archive::new().file("x", "y").bytes();
    let hint = "layer-apply: hint: if it is known to be whole, use --allow-missing-end";
    for (cut, size) in [(1024, "content"), (513, "no padding"), (700, "padding in part")] {
        let plain = &whole[..cut];
        for layer in [plain.to_vec(), packed(plain, Format::Gzip)] {
            let apply = |option: Option<&str>| {
                let scratch = Scratch::new(Way::Tool);
                let new = scratch.path("new");
                let arguments = option.iter().map(OsStr::new).chain([new.as_os_str()]);
                let output = run(&arguments.collect::<Vec<_>>(), &layer);
                assert_eq!(scratch.has("new/x"), output.status.success(), "{size}: {output:?}");
                stderr(&output)
            };
            let refused = apply(None);
            assert!(refused.contains("end-of-archive marker"), "{size}: {refused}");
            assert!(refused.lines().nth(1) == Some(hint), "{size}: {refused}");
            assert_eq!(apply(Some("--allow-missing-end")), "", "{size}");
            assert_eq!(apply(Some(&format!("--digest={}", sha256(&layer)))), "", "{size}");
            assert_eq!(apply(Some(&format!("--diff-id={}", sha256(plain)))), "", "{size}");
        }
    }
    let new = Scratch::new(Way::Tool);
    let output = run(&[OsStr::new("--allow-missing-end"), new.path("new").as_os_str()], b"");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_failure_leaves_no_new_directory() {
    let whole =
        packed(&Archive::new().dir("a/b").file("a/b/x", vec![1; 300_000]).bytes(), Format::None);
    let gzip = packed(&whole, Format::Gzip);
    let mut flipped = gzip.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let bad: [&[u8]; 7] = [
        b"",
        b"hello, this is no archive",
        &whole[..whole.len() / 2],
        &gzip[..gzip.len() - 4],
        &flipped,
        &[&gzip[..], b"garbage after it"].concat(),
        &Archive::new().file("ok", "").hardlink("x", "never").bytes(),
    ];
    for (number, stream) in bad.into_iter().enumerate() {
        let scratch = Scratch::new(Way::Tool);
        let output = run(&[scratch.path("new")], stream);
        assert_eq!(output.status.code(), Some(2), "{number}: {output:?}");
        assert_eq!(stdout(&output), "", "{number}");
        let errors = stderr(&output);
        assert_eq!(errors.lines().count(), 1, "{number}: {errors}");
        assert!(errors.starts_with("layer-apply: "), "{number}: {errors}");
        assert!(!scratch.has("new"), "{number}");
    }
}

#[test]
fn a_directory_that_was_there_stays() {
    let scratch = Scratch::new(Way::Tool);
    fs::write(scratch.path("mine"), "").unwrap();
    let output = run(&[scratch.root()], &Archive::new().hardlink("x", "never").bytes());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "layer-apply: x: hard link to 'never', which does not exist\n");
    assert_eq!(scratch.names(), ["mine"]);
}

#[test]
fn an_error_names_the_layer_where_there_are_several() {
    let scratch = Scratch::new(Way::Tool);
    let good = scratch.path("good.tar");
    fs::write(&good, layer().bytes()).unwrap();
    let new = scratch.path("new");
    let bad = Archive::new().file("../x", "").bytes();
    let output = run(&[new.as_os_str(), good.as_os_str(), OsStr::new("-")], &bad);
    assert_eq!(stderr(&output), "layer-apply: standard input: ../x: the path holds '..'\n");
    assert!(!scratch.has("new"));
}

#[test]
fn options_that_would_mean_nothing_are_refused() {
    let scratch = Scratch::new(Way::Tool);
    let (new, file) = (scratch.path("new"), scratch.path("layer.tar"));
    fs::write(&file, layer().bytes()).unwrap();
    for options in [
        &["--platform=linux/amd64"][..],
        &["--store=elsewhere"],
        &["--store=elsewhere", "--overlay"],
        &["--lower=elsewhere"],
        &["--lower=elsewhere", "--keep-dirlinks"],
        &["--lower=elsewhere", "--image=x"],
        &["--image=x"],
        &["--image=x", "--digest", &sha256(b"")],
        &["--image=x", "--overlay"],
        &["--overlay", "--keep-dirlinks"],
        &["--map-users", "--no-same-owner"],
    ] {
        let arguments = options.iter().map(OsStr::new).chain([new.as_os_str(), file.as_os_str()]);
        let output = run(&arguments.collect::<Vec<_>>(), b"");
        assert_eq!(output.status.code(), Some(2), "{options:?}: {output:?}");
        assert!(stderr(&output).contains("hint: try 'layer-apply --help'"), "{output:?}");
        assert!(!scratch.has("new"));
    }
}

#[test]
fn standard_output_that_cannot_be_written_is_a_failure() {
    let scratch = Scratch::new(Way::Tool);
    let new = scratch.path("new");
    for redirection in [">/dev/full", ">&-"] {
        let script = format!("exec \"$0\" \"$@\" {redirection}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(tool().get_program()).arg(&new);
        let output = feed(&mut command, &layer().bytes());
        assert_eq!(output.status.code(), Some(2), "{redirection}");
        assert!(!scratch.has("new"), "{redirection}");
    }
}

#[test]
fn signals_leave_no_new_directory() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::os::unix::process::ExitStatusExt as _;
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let scratch = Scratch::new(Way::Tool);
        let new = scratch.path("new");
        // A background job of a plain shell leaves signals ignored.
        let mut child = Command::new("env")
            .arg("--default-signal=INT,TERM,HUP")
            .arg(tool().get_program())
            .arg(&new)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let many = (0..2000).fold(Archive::new(), |layer, n| layer.file(format!("d/{n}"), "x"));
        let bytes = many.bytes();
        // All but the end: the tool is in the middle of it and waits.
        input.write_all(&bytes[..bytes.len() - 100_000]).unwrap();
        while !scratch.has("new/d") {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status:?}");
        assert!(!scratch.has("new"));
    }
}

#[test]
fn a_terminal_is_not_read() {
    if !has_program("script") {
        return;
    }
    let scratch = Scratch::new(Way::Tool);
    let new = scratch.path("new");
    let command = format!("{} {}", tool().get_program().to_str().unwrap(), new.display());
    let output = Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stdout(&output).contains("refusing to read binary data from a terminal"));
    assert!(!scratch.has("new"));
}

#[test]
fn memory_does_not_grow_with_the_layer() {
    // 512 MiB through an address space of 256 MiB.
    let scratch = Scratch::new(Way::Tool);
    let script = "ulimit -v 262144; exec \"$0\" \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .arg(tool().get_program())
        .arg(scratch.path("new"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let header = Archive::new().file("zeros", vec![0; 1 << 20]).bytes();
    // One small file after the other: the content is all there is.
    for _ in 0..512 {
        input.write_all(&header[..header.len() - 1024]).unwrap();
    }
    input.write_all(&[0; 1024]).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
