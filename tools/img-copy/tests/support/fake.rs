//! A registry written for the tests, which does what each test tells it to: it serves
//! what a store holds, except where the test has another answer.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::digest::Digest;
use common::oci::media_type;
use layerutils_tests::place::Place;

/// What a client asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How often this path was asked for before, by this method.
    pub(crate) before: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers.iter().find(same).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.path.contains(part)
    }
}

/// What it gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection ends after so much of the body.
    pub(crate) cut_after: Option<usize>,
    /// Before a connection ends early, nothing comes for a minute.
    pub(crate) stalls: bool,
    /// The body says no length and goes on for ever.
    pub(crate) endless: bool,
    /// Head and body come byte by byte, ten a second.
    pub(crate) trickles: bool,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

type Handler = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// A running registry.
pub(crate) struct Fake {
    pub(crate) port: u16,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    /// Serves what the store of `place` holds; every tag is `image`.
    pub(crate) fn start(
        place: &Place,
        image: &Digest,
        handler: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (shared, handler) = (Arc::clone(&log), Arc::new(handler));
        let (store, image) = (place.path("store"), image.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (log, handler) = (Arc::clone(&shared), Arc::clone(&handler));
                let (store, image) = (store.clone(), image.clone());
                thread::spawn(move || serve(client, &log, &*handler, &store, &image));
            }
        });
        Self { port, log }
    }

    /// `docker://` and the registry, to be followed by a name.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("docker://127.0.0.1:{}/{name}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What was asked so far.
    pub(crate) fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn asked(&self, method: &str, part: &str) -> Vec<Request> {
        self.log().into_iter().filter(|request| request.is(method, part)).collect()
    }
}

fn serve(
    client: TcpStream,
    log: &Mutex<Vec<Request>>,
    handler: &Handler,
    store: &Path,
    image: &Digest,
) {
    // Who begins with a TLS handshake finds nobody who speaks that.
    let mut first = [0];
    if client.peek(&mut first).unwrap_or(0) == 0 || first == [0x16] {
        return;
    }
    let mut writer = client.try_clone().unwrap();
    let mut reader = BufReader::new(client);
    while let Some(mut request) = read(&mut reader) {
        let mut seen = log.lock().unwrap();
        let same = |other: &&Request| other.path == request.path && other.method == request.method;
        request.before = seen.iter().filter(same).count();
        seen.push(request.clone());
        drop(seen);
        let reply = handler(&request).unwrap_or_else(|| answer(&request, store, image));
        if !write(&mut writer, &request, &reply) {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new(), before: 0 };
    let len = request.header("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
    // One that is cut off is a request all the same.
    let _ = reader.take(len).read_to_end(&mut request.body);
    if request.header("transfer-encoding") == Some("chunked") {
        let _ = read_chunks(reader, &mut request.body);
    }
    Some(request)
}

fn read_chunks(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let len = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        reader.take(len).read_to_end(body)?;
        reader.read_line(&mut line)?;
        if len == 0 {
            return Ok(());
        }
    }
}

/// Whether the connection goes on.
fn write(writer: &mut TcpStream, request: &Request, reply: &Reply) -> bool {
    let mut head = format!("HTTP/1.1 {} Some Reason\r\n", reply.status);
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let lengthless =
        reply.endless || reply.headers.iter().any(|(name, _)| name == "Content-Length");
    if !lengthless {
        let _ = write!(head, "Content-Length: {}\r\n", reply.body.len());
    }
    head.push_str("\r\n");
    if reply.trickles {
        let bytes = head.as_bytes().iter().chain(&reply.body);
        let mut slowly = bytes.map(|byte| {
            thread::sleep(Duration::from_millis(100));
            writer.write_all(&[*byte])
        });
        return slowly.all(|sent| sent.is_ok());
    }
    let mut sent = writer.write_all(head.as_bytes());
    if request.method != "HEAD" {
        let len = reply.cut_after.unwrap_or(reply.body.len());
        sent = sent.and_then(|()| writer.write_all(&reply.body[..len]));
        while reply.endless && sent.is_ok() {
            sent = writer.write_all(&[b' '; 65536]);
        }
    }
    let _ = writer.flush();
    if reply.stalls {
        thread::sleep(Duration::from_secs(60));
    }
    if reply.cut_after.is_some() || reply.endless {
        let _ = writer.shutdown(std::net::Shutdown::Both);
        return false;
    }
    sent.is_ok()
}

/// What a registry that behaves says.
fn answer(request: &Request, store: &Path, image: &Digest) -> Reply {
    let path = request.path.as_str();
    if path == "/v2/" {
        return Reply::status(200).body("{}");
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let digest = if last.starts_with("sha256:") { last.parse().unwrap() } else { image.clone() };
    let blob = std::fs::read(store.join("blobs/sha256").join(digest.hex()));
    match (request.method.as_str(), blob) {
        ("GET" | "HEAD", Err(_)) => Reply::status(404),
        ("GET" | "HEAD", Ok(bytes)) if path.contains("/manifests/") => Reply::status(200)
            .with("Content-Type", media_type::MANIFEST)
            .with("Docker-Content-Digest", &digest)
            .body(bytes),
        ("GET" | "HEAD", Ok(bytes)) => part(request, bytes),
        ("POST", _) => Reply::status(202).with("Location", "/v2/app/blobs/uploads/one?state=0"),
        ("PATCH", _) => Reply::status(202).with("Location", "/v2/app/blobs/uploads/one?state=1"),
        ("PUT", _) => Reply::status(201),
        _ => Reply::status(405),
    }
}

/// A blob, or as much of it as was asked for.
pub(crate) fn part(request: &Request, bytes: Vec<u8>) -> Reply {
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes="));
    let Some(start) = range.and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok()) else {
        return Reply::status(200).body(bytes);
    };
    let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
    Reply::status(206).with("Content-Range", range).body(&bytes[start..])
}
