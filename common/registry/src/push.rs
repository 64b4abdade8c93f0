//! Writing: blobs that are not there yet, then the manifests that need them.

use std::io::{self, Read};

use common::digest::Digest;
use common::image;
use common::oci::Descriptor;
use common::store::BlobReader;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE};
use ureq::http::{Method, StatusCode, Uri};

use super::http::{Answer, Upload, header};
use super::repository::Repository;
use super::url::{encode, join, with_query};
use super::{Error, Target};

/// A blob up to this length goes in one request with its digest; a longer one in a
/// request of its own, which can be gone on with if it is cut.
const MAX_MONOLITHIC_LEN_BYTES: u64 = 4 << 20;
const BINARY: (HeaderName, &str) = (CONTENT_TYPE, "application/octet-stream");

/// How a blob came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    AlreadyThere,
    /// Taken from another repository of the registry.
    Mounted,
    /// It was sent.
    Uploaded,
}

/// Opens a blob of ours, anew for each attempt.
type Open<'o> = &'o dyn Fn() -> Result<BlobReader, image::Error>;

impl Repository {
    /// Sees to it that the blob is there.
    ///
    /// # Errors
    /// A registry that does not take it; a blob of ours that cannot be read.
    pub fn push_blob(
        &self,
        blob: &Descriptor,
        others: &[String],
        open: Open<'_>,
    ) -> Result<Pushed, Error> {
        if self.patience().try_again(|| self.has_blob(blob))? {
            return Ok(Pushed::AlreadyThere);
        }
        let mut upload = None;
        for other in others {
            // A registry may not do that, or not let us; then the blob is sent.
            match self.mount(blob, other) {
                Ok(None) => return Ok(Pushed::Mounted),
                Ok(started) => upload = started,
                Err(_) => {}
            }
        }
        self.upload(blob, upload, open)?;
        Ok(Pushed::Uploaded)
    }

    /// Sends a blob of which neither length nor digest is known yet, as docker does; where
    /// the upload can be ended. It is tried once.
    ///
    /// # Errors
    /// A registry that does not take it; a `body` that fails.
    pub fn stream(&self, body: &mut dyn Read) -> Result<Uri, Error> {
        let url = self.begin()?;
        let upload = Upload { body, len_bytes: None };
        let (_, answer) = self.call(&Method::PATCH, &url, &[BINARY], Some(upload))?;
        match answer.status() {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT => self.upload_location(&url, &answer),
            _ => Err(self.http.failure("upload", answer)),
        }
    }

    /// Ends the upload of a blob of which all was sent.
    ///
    /// # Errors
    /// A registry that got something else.
    pub fn end(&self, blob: &Descriptor, at: &Uri) -> Result<(), Error> {
        let url = self.ending(blob, at)?;
        self.ended(blob, self.call_with_nothing(&Method::PUT, &url, &[BINARY])?)
    }

    /// Whether a blob of this digest and length is there.
    ///
    /// # Errors
    /// A registry that does not answer that.
    pub fn has_blob(&self, blob: &Descriptor) -> Result<bool, Error> {
        let url = self.url(&format!("blobs/{}", blob.digest))?;
        let (_, answer) = self.call(&Method::HEAD, &url, &[], None)?;
        match answer.status() {
            StatusCode::OK => {
                let len = header(&answer, &CONTENT_LENGTH).and_then(|len| len.parse::<u64>().ok());
                Ok(len.is_none_or(|len| len == blob.len_bytes))
            }
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.http.failure(&format!("blob {}", blob.digest), answer)),
        }
    }

    /// Takes the blob from another repository; if that cannot be, an upload has begun.
    fn mount(&self, blob: &Descriptor, other: &str) -> Result<Option<Uri>, Error> {
        let from = format!(
            "blobs/uploads/?mount={}&from={}",
            encode(&blob.digest.to_string()),
            encode(other)
        );
        let url = self.url(&from)?;
        let answer = self.post(&url)?;
        match answer.status() {
            StatusCode::CREATED => Ok(None),
            StatusCode::ACCEPTED => self.upload_location(&url, &answer).map(Some),
            _ => Err(self.http.failure("mount", answer)),
        }
    }

    fn upload(&self, blob: &Descriptor, mut at: Option<Uri>, open: Open<'_>) -> Result<(), Error> {
        let mut patience = self.patience();
        let mut offset = 0;
        loop {
            let url = match at.take() {
                Some(url) => Ok(url),
                None => {
                    offset = 0;
                    self.begin()
                }
            };
            let sent = url.as_ref().ok().cloned();
            let done = url.and_then(|url| match blob.len_bytes <= MAX_MONOLITHIC_LEN_BYTES {
                true => self.put(blob, &url, 0, open),
                false => {
                    let url = self.patch(blob, &url, offset, open)?;
                    self.put(blob, &url, blob.len_bytes, open)
                }
            });
            let Err(error) = done else { return Ok(()) };
            patience.after(error)?;
            if let Some((url, received)) = sent.and_then(|url| self.received(&url)) {
                if received <= blob.len_bytes && blob.len_bytes > MAX_MONOLITHIC_LEN_BYTES {
                    if received > offset {
                        patience.progressed(received - offset);
                    }
                    (at, offset) = (Some(url), received);
                }
            }
        }
    }

    fn begin(&self) -> Result<Uri, Error> {
        let url = self.url("blobs/uploads/")?;
        let answer = self.post(&url)?;
        match answer.status() {
            StatusCode::ACCEPTED => self.upload_location(&url, &answer),
            _ => Err(self.http.failure("upload", answer)),
        }
    }

    fn call_with_nothing(
        &self,
        method: &Method,
        url: &Uri,
        headers: &[(HeaderName, &str)],
    ) -> Result<Answer, Error> {
        let upload = Upload { body: &mut io::empty(), len_bytes: Some(0) };
        self.call(method, url, headers, Some(upload)).map(|(_, answer)| answer)
    }

    fn post(&self, url: &Uri) -> Result<Answer, Error> {
        self.call_with_nothing(&Method::POST, url, &[])
    }

    /// Sends the blob from `offset` on; where the upload goes on.
    fn patch(
        &self,
        blob: &Descriptor,
        url: &Uri,
        offset: u64,
        open: Open<'_>,
    ) -> Result<Uri, Error> {
        let range = format!("{offset}-{}", blob.len_bytes.saturating_sub(1));
        let mut headers = vec![BINARY];
        if offset > 0 {
            headers.push((CONTENT_RANGE, range.as_str()));
        }
        let answer = self.send(&Method::PATCH, url, &headers, blob, offset, open)?;
        match answer.status() {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT => self.upload_location(url, &answer),
            _ => Err(self.upload_failure(blob, answer)),
        }
    }

    /// Sends what is left from `offset` on, and ends the upload.
    fn put(&self, blob: &Descriptor, url: &Uri, offset: u64, open: Open<'_>) -> Result<(), Error> {
        let url = self.ending(blob, url)?;
        self.ended(blob, self.send(&Method::PUT, &url, &[BINARY], blob, offset, open)?)
    }

    /// Where an upload ends that goes on at `url`.
    fn ending(&self, blob: &Descriptor, url: &Uri) -> Result<Uri, Error> {
        with_query(url, "digest", &blob.digest.to_string()).ok_or_else(|| {
            Error::protocol(&self.http.host, "an upload location that is no address")
        })
    }

    fn ended(&self, blob: &Descriptor, answer: Answer) -> Result<(), Error> {
        match answer.status() {
            StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(self.upload_failure(blob, answer)),
        }
    }

    fn send(
        &self,
        method: &Method,
        url: &Uri,
        headers: &[(HeaderName, &str)],
        blob: &Descriptor,
        offset: u64,
        open: Open<'_>,
    ) -> Result<Answer, Error> {
        if offset == blob.len_bytes {
            return self.call_with_nothing(method, url, headers);
        }
        let source = |source| Error::Source { digest: blob.digest.clone(), source };
        let mut reader = open().map_err(|error| source(io::Error::other(error)))?;
        // Read, not skipped: the digest is of all of it.
        io::copy(&mut reader.by_ref().take(offset), &mut io::sink()).map_err(source)?;
        let mut ours = Ours { reader, failed: None };
        let len_bytes = Some(blob.len_bytes - offset);
        let upload = Upload { body: &mut ours, len_bytes };
        let answer = self.call(method, url, headers, Some(upload));
        match ours.failed {
            Some(error) => Err(source(error)),
            None => answer.map(|(_, answer)| answer),
        }
    }

    /// An upload that the registry lost is begun again; what it refuses, it refuses.
    fn upload_failure(&self, blob: &Descriptor, answer: Answer) -> Error {
        match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE => {
                Error::Cut(self.http.host.clone())
            }
            _ => self.http.failure(&format!("blob {}", blob.digest), answer),
        }
    }

    /// Where an upload that was cut goes on, and from which byte, if the registry knows.
    fn received(&self, url: &Uri) -> Option<(Uri, u64)> {
        let (_, answer) = self.call(&Method::GET, url, &[], None).ok()?;
        if answer.status() != StatusCode::NO_CONTENT {
            return None;
        }
        let last: u64 = header(&answer, &RANGE)?.rsplit_once('-')?.1.parse().ok()?;
        // "0-0" is one byte or none: better none, in an upload of its own.
        (last > 0).then_some(())?;
        Some((self.upload_location(url, &answer).ok()?, last.checked_add(1)?))
    }

    /// Where to send the blob: nobody else gets it.
    fn upload_location(&self, url: &Uri, answer: &Answer) -> Result<Uri, Error> {
        let location = self.http.location(answer)?;
        let refused = || Error::Refused {
            host: self.http.host.clone(),
            what: "sends the upload elsewhere",
            url: location.to_owned(),
        };
        join(url, location).filter(|next| self.is_own(next)).ok_or_else(refused)
    }

    /// Puts a manifest or index under a tag or its digest.
    ///
    /// # Errors
    /// A registry that does not take it, or takes it for another.
    pub fn push_manifest(
        &self,
        target: &Target,
        manifest: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let url = self.url(&format!("manifests/{target}"))?;
        let headers = [(CONTENT_TYPE, manifest.media_type.as_str())];
        let answer = self.patience().try_again(|| {
            let len_bytes = Some(bytes.len() as u64);
            let upload = Upload { body: &mut &*bytes, len_bytes };
            let (_, answer) = self.call(&Method::PUT, &url, &headers, Some(upload))?;
            match answer.status() {
                StatusCode::CREATED | StatusCode::OK | StatusCode::ACCEPTED => Ok(answer),
                _ => Err(self.http.failure(&format!("manifest {target}"), answer)),
            }
        })?;
        let stated = header(&answer, &HeaderName::from_static("docker-content-digest"));
        match stated.and_then(|digest| digest.parse::<Digest>().ok()) {
            Some(actual) if actual != manifest.digest => {
                let expected = manifest.digest.clone();
                Err(common::store::Error::Digest { expected, actual }.into())
            }
            _ => Ok(()),
        }
    }
}

/// Our side of an upload: its failures are told apart from the connection's.
struct Ours {
    reader: BlobReader,
    failed: Option<io::Error>,
}

impl Read for Ours {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            io::Error::from(kind)
        })
    }
}
