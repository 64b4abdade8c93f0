//! ADD of URLs, from a server of our own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use common::digest::{Algorithm, Hasher};
use support::{Bench, skip, with_busybox};

/// A server that answers each path as it is told, and remembers what it was asked.
struct Server {
    port: u16,
    answers: Arc<Mutex<Vec<(String, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (of, to) = (Arc::clone(&answers), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(stream.unwrap(), &of, &to);
            }
        });
        Self { port, answers, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Sets the answer to a path: headers and body.
    fn set(&self, path: &str, headers: &str, body: &str) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, _)| known != path);
        let len = body.len();
        let status = if headers.starts_with("Location") { "302 Found" } else { "200 OK" };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {len}\r\n{headers}Connection: close\r\n\r\n{body}"
        );
        answers.push((path.to_owned(), answer));
    }

    /// Returns the requests since the last call.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(
    mut stream: TcpStream,
    answers: &Mutex<Vec<(String, String)>>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut tag = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("if-none-match: ") {
            tag = Some(value.to_owned());
        }
    }
    let answers = answers.lock().unwrap();
    let found = answers.iter().find(|(known, _)| *known == path).map(|(_, answer)| answer.clone());
    let answer = match (found, tag) {
        (Some(answer), Some(tag)) if answer.contains(&format!("ETag: {tag}\r\n")) => {
            asked.lock().unwrap().push(format!("{path} unchanged"));
            "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned()
        }
        (Some(answer), _) => {
            asked.lock().unwrap().push(path);
            answer
        }
        (None, _) => {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        }
    };
    stream.write_all(answer.as_bytes())
}

#[test]
fn a_file_behind_a_url_is_added_as_buildkit_adds_it() {
    let (bench, server) = (Bench::new(), Server::start());
    server.set("/a/f%20x?q=1", "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n", "F");
    let url = server.url("/a/f%20x?q=1");
    let image = bench.build(&format!("FROM scratch\nADD {url} /d/\n"));
    assert_eq!(image.last(), ["d 0755 0:0 d/", "f 0600 0:0 d/f x \"F\""]);
    assert_eq!(image.history(), [format!("+ ADD {url} /d/ # buildkit")]);
    let mut reader = common::tar::Reader::new(
        image.layers[0].as_slice(),
        common::tar::Limits::default(),
        common::tar::Whole::ByMarker,
    );
    reader.next_entry().unwrap();
    assert_eq!(reader.next_entry().unwrap().unwrap().mtime.seconds, 1_445_412_480);
    let image = bench.build(&format!("FROM scratch\nADD --chmod=755 --chown=1:2 {url} /g\n"));
    assert_eq!(image.last(), ["f 0755 1:2 g \"F\""]);
    let message = bench.fail_in(&format!("FROM scratch\nADD {} /\n", server.url("/nothing")));
    assert!(
        message.contains("Containerfile:2: ADD: ") && message.contains("is not there"),
        "{message}"
    );
}

#[test]
fn a_file_is_fetched_again_only_if_its_tag_changed() {
    let (bench, server) = (Bench::new(), Server::start());
    server.set("/f", "ETag: \"one\"\r\n", "one");
    bench.write("Containerfile", &format!("FROM scratch\nADD {} /\n", server.url("/f")));
    assert_eq!((bench.hits(&[]), server.asked()), (vec![false], vec!["/f".to_owned()]));
    assert_eq!((bench.hits(&[]), server.asked()), (vec![true], vec!["/f unchanged".to_owned()]));
    server.set("/f", "ETag: \"two\"\r\n", "two");
    assert_eq!((bench.hits(&[]), server.asked()), (vec![false], vec!["/f".to_owned()]));
    // The kept files may be gone.
    std::fs::remove_dir_all(bench.path("cache/layerutils/downloads-kept")).unwrap();
    assert_eq!(bench.hits(&["--no-cache"]), [false]);
    assert_eq!(server.asked(), ["/f unchanged", "/f"]);
    // Without a tag, each time; the same content is the same layer.
    server.set("/f", "", "three");
    assert_eq!((bench.hits(&[]), server.asked().len()), (vec![false], 1));
    assert_eq!((bench.hits(&[]), server.asked().len()), (vec![true], 1));
}

#[test]
fn a_checksum_is_checked_and_needs_no_server_twice() {
    let (bench, server) = (Bench::new(), Server::start());
    server.set("/f", "", "F");
    let digest = common::digest::Digest::of(b"F");
    let text = |checksum: &str| {
        format!("FROM scratch\nADD --checksum={checksum} {} /\n", server.url("/f"))
    };
    bench.build(&text(&digest.to_string()));
    assert_eq!(server.asked(), ["/f"]);
    bench.build_with(&text(&digest.to_string()), &["--no-cache"]);
    assert!(server.asked().is_empty());
    let other = format!("sha256:{}", "0".repeat(64));
    let message = bench.fail_in(&text(&other));
    assert!(
        message.contains(&format!("checksum mismatch: expected {other}, got {digest}")),
        "{message}"
    );
    for (line, expected) in [
        ("ADD --checksum=sha256:1 http://h/f /", "--checksum=sha256:1: not a digest"),
        ("ADD --checksum=$D nonce /", "--checksum is for a single URL as the source"),
        ("ADD https://h/x.git?what=a /", "git query 'what=a' is not supported"),
        ("ADD --checksum=sha256:1 git@h:x /", "--checksum=sha256:1: not a commit"),
        ("ADD git@h:x#-o /", "'-o': not a git reference"),
        ("COPY git@h:x /", "'git@h:x': COPY takes no URL"),
        ("ADD --keep-git-dir=true http://h/f /", "--keep-git-dir is for git repositories"),
        ("COPY http://h/f /", "'http://h/f': COPY takes no URL"),
    ] {
        let message = bench.fail_in(&format!("FROM scratch\nARG D={other}\n{line}\n"));
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn a_checksum_may_be_a_sha512() {
    let (bench, server) = (Bench::new(), Server::start());
    server.set("/f", "", "F");
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(b"F");
    let digest = hasher.finish();
    let text = |checksum: &str| {
        format!("FROM scratch\nADD --checksum={checksum} {} /\n", server.url("/f"))
    };
    let image = bench.build(&text(&digest.to_string()));
    assert_eq!(image.last(), ["f 0600 0:0 f \"F\""]);
    assert_eq!(server.asked(), ["/f"]);
    bench.build_with(&text(&digest.to_string()), &["--no-cache"]);
    assert!(server.asked().is_empty());
    // The record holds the digest that was asked for last.
    let other = format!("sha512:{}", "0".repeat(128));
    let message = bench.fail_in(&text(&other));
    let expected = format!("checksum mismatch: expected {other}, got {digest}");
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn a_failed_build_does_not_wait_for_a_download() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    // It takes the connection and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/f", listener.local_addr().unwrap());
    let began = std::time::Instant::now();
    let message = bench.fail_in(&format!(
        "FROM scratch AS a\nADD {url} /\nFROM bb AS b\nRUN busybox sleep 1; exit 7\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n"
    ));
    assert!(message.contains("RUN exited with status 7"), "{message}");
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_url_may_be_added_twice() {
    let (bench, server) = (Bench::new().in_time(), Server::start());
    server.set("/f", "ETag: \"one\"\r\n", "F");
    let url = server.url("/f");
    let image = bench.build(&format!("FROM scratch\nADD {url} {url} /d/\n"));
    assert_eq!(image.last(), ["d 0755 0:0 d/", "f 0600 0:0 d/f \"F\""]);
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let (bench, server) = (Bench::new(), Server::start());
    server.set("/old", &format!("Location: {}\r\n", server.url("/new")), "");
    server.set("/relative", "Location: new\r\n", "");
    server.set("/new", "", "N");
    server.set("/circle", "Location: /circle\r\n", "");
    for from in ["/old", "/relative"] {
        let image = bench.build(&format!("FROM scratch\nADD {} /\n", server.url(from)));
        assert_eq!(image.last(), [format!("f 0600 0:0 {} \"N\"", &from[1..])]);
    }
    let message = bench.fail_in(&format!("FROM scratch\nADD {} /\n", server.url("/circle")));
    assert!(message.contains("more redirects than are followed"), "{message}");
}

#[test]
fn an_archive_is_unpacked_only_if_that_is_asked_for() {
    let (bench, server) = (Bench::new(), Server::start());
    let mut tar = Vec::new();
    let mut writer = common::tar::Writer::new(&mut tar);
    let entry = common::tar::Entry {
        path: b"x".to_vec(),
        kind: common::tar::Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: common::time::Timestamp::EPOCH,
        len_bytes: 0,
        xattrs: Default::default(),
    };
    writer.append(&entry, std::io::empty()).unwrap();
    writer.finish().unwrap();
    server.set("/a.tar", "", std::str::from_utf8(&tar).unwrap());
    let url = server.url("/a.tar");
    let image = bench.build(&format!("FROM scratch\nADD {url} /d/\n"));
    assert!(image.last()[1].starts_with("f 0600 0:0 d/a.tar "), "{:?}", image.last());
    let image = bench.build(&format!("FROM scratch\nADD --unpack {url} /d/\n"));
    assert_eq!(image.last(), ["d 0755 0:0 d/", "f 0644 0:0 d/x \"\""]);
}

#[test]
fn a_context_may_be_behind_a_url() {
    let (bench, server) = (Bench::new(), Server::start());
    server.set("/file", "", "FROM scratch\nLABEL a=b\n");
    let built = bench.run(&[&server.url("/file")], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(bench.image(built.stdout.trim()).config.config.labels["a"], "b");
    bench.write("Containerfile", "FROM scratch\nCOPY f /\n");
    bench.write("f", "F");
    let script = "tar -C ctx -cf - Containerfile f";
    let archive = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(bench.dir.path())
        .output()
        .unwrap();
    server.set("/x.tar", "", &String::from_utf8(archive.stdout).unwrap());
    let built = bench.run(&[&server.url("/x.tar")], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(bench.image(built.stdout.trim()).last(), ["f 0644 0:0 f \"F\""]);
    let none = server.url("/none");
    let built = bench.run(&[&none], b"");
    assert_eq!(built.status, 2);
    assert!(built.stderr.contains("/none is not there"), "{}", built.stderr);
}
