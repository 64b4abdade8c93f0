//! Reading: manifests whole, blobs as streams that go on where they were cut.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::digest::{Digest, Hasher};
use common::document;
use common::image::{self, Found, Origin};
use common::oci::media_type::{self, Kind};
use common::oci::{Descriptor, Document, MAX_DOCUMENT_LEN_BYTES};
use common::store::{self, BlobReader};
use ureq::BodyReader;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE};
use ureq::http::{Method, StatusCode};

use super::http::{Answer, header, read_body};
use super::repository::accepted;
use super::retry::Patience;
use super::{Error, Repository, Target};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The most bytes of documents that are kept of one repository.
const MAX_KEPT_LEN_BYTES: usize = 2 * MAX_DOCUMENT_LEN_BYTES as usize;

/// A repository as a place where images are.
#[derive(Debug)]
struct Remote {
    repository: Arc<Repository>,
    /// The manifests, indexes and configs that were fetched. Each is read more than once, and
    /// should be fetched only once.
    kept: Mutex<HashMap<Digest, Arc<[u8]>>>,
}

impl Origin for Remote {
    fn blob(&self, blob: &Descriptor) -> Result<BlobReader, image::Error> {
        let is_document = matches!(blob.kind(), Kind::Manifest | Kind::Index | Kind::Config);
        if !is_document || blob.len_bytes > MAX_DOCUMENT_LEN_BYTES {
            return self.download(blob);
        }
        let kept = self.kept().get(&blob.digest).cloned();
        let bytes = match kept {
            Some(bytes) => bytes,
            None => self.fetch(blob)?,
        };
        Ok(BlobReader::in_memory(bytes, blob))
    }
}

impl Remote {
    fn download(&self, blob: &Descriptor) -> Result<BlobReader, image::Error> {
        let download = Download::open(Arc::clone(&self.repository), blob);
        Ok(BlobReader::streamed(download.map_err(|error| about(error, blob))?, blob))
    }

    fn fetch(&self, blob: &Descriptor) -> Result<Arc<[u8]>, image::Error> {
        if blob.kind() == Kind::Config {
            let reading =
                |source| image::Error::Io { what: format!("blob {}", blob.digest), source };
            // Only bytes of this digest are kept.
            let bytes = document::read(self.download(blob)?, MAX_DOCUMENT_LEN_BYTES);
            return Ok(self.keep(&blob.digest, bytes.map_err(reading)?));
        }
        let target = Target::Digest(blob.digest.clone());
        let (_, bytes) = self.repository.manifest(&target).map_err(|error| about(error, blob))?;
        Ok(self.keep(&blob.digest, bytes))
    }

    /// Keeps a document that has been checked, if there is room for it.
    fn keep(&self, digest: &Digest, bytes: Vec<u8>) -> Arc<[u8]> {
        let bytes: Arc<[u8]> = Arc::from(bytes);
        let mut kept = self.kept();
        let len: usize = kept.values().map(|bytes| bytes.len()).sum();
        if len + bytes.len() <= MAX_KEPT_LEN_BYTES {
            kept.insert(digest.clone(), Arc::clone(&bytes));
        }
        bytes
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Digest, Arc<[u8]>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A blob that is missing is missing, wherever it is looked for.
fn about(error: Error, blob: &Descriptor) -> image::Error {
    match error {
        Error::Missing { .. } => store::Error::NoBlob(blob.digest.clone()).into(),
        other => image::Error::Origin(other.into()),
    }
}

impl Repository {
    /// What `target` names.
    ///
    /// # Errors
    /// Nothing of this name; a document that is none, or not the one.
    pub fn find(self: &Arc<Self>, target: &Target) -> Result<Found, Error> {
        let (descriptor, bytes) = self.manifest(target)?;
        let remote = Remote { repository: Arc::clone(self), kept: Mutex::default() };
        remote.keep(&descriptor.digest, bytes);
        Ok(Found::in_origin(Arc::new(remote), descriptor))
    }

    /// Reads a manifest or index.
    fn manifest(&self, target: &Target) -> Result<(Descriptor, Vec<u8>), Error> {
        let url = self.url(&format!("manifests/{target}"))?;
        let (name, types) = accepted();
        self.patience().try_again(|| {
            let headers = [(name.clone(), types.as_str())];
            let (_, answer) = self.call(&Method::GET, &url, &headers, None)?;
            let what = format!("manifest {target}");
            if answer.status() != StatusCode::OK {
                return Err(self.http.failure(&what, answer));
            }
            self.document(target, answer)
        })
    }

    fn document(&self, target: &Target, answer: Answer) -> Result<(Descriptor, Vec<u8>), Error> {
        let stated: Option<Digest> =
            header(&answer, &CONTENT_DIGEST).and_then(|digest| digest.parse().ok());
        // A type that says nothing leaves it to the document.
        let media_type = header(&answer, &CONTENT_TYPE)
            .filter(|stated| matches!(media_type::kind(stated), Kind::Manifest | Kind::Index))
            .map(|stated| stated.split(';').next().unwrap_or_default().trim().to_owned())
            .unwrap_or_default();
        let promised = content_len(&answer);
        let bytes = read_body(answer, MAX_DOCUMENT_LEN_BYTES)
            .map_err(|error| Error::connection(&self.http.host)(error.into()))?;
        if promised.is_some_and(|len| len > bytes.len() as u64 && len <= MAX_DOCUMENT_LEN_BYTES) {
            return Err(Error::Cut(self.http.host.clone()));
        }
        let expected = match target {
            Target::Digest(digest) => Some(digest.clone()),
            Target::Tag(_) => stated,
        };
        let algorithm =
            expected.as_ref().map_or(common::digest::Algorithm::Sha256, Digest::algorithm);
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&bytes);
        let actual = hasher.finish();
        let named = |source| {
            Error::Content(store::Error::Document { name: format!("manifest {target}"), source })
        };
        let document = Document::parse(&bytes, &media_type).map_err(named)?;
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(store::Error::Digest { expected, actual }.into());
        }
        let own_type = match document {
            Document::Manifest(manifest) => {
                manifest.media_type.unwrap_or_else(|| media_type::MANIFEST.into())
            }
            Document::Index(index) => index.media_type.unwrap_or_else(|| media_type::INDEX.into()),
        };
        let media_type = if media_type.is_empty() { own_type } else { media_type };
        Ok((Descriptor::new(media_type, actual, bytes.len() as u64), bytes))
    }
}

/// A blob on its way to us. A connection that breaks is made anew, and what is left
/// asked for; whether the bytes are right is for who reads them.
struct Download {
    repository: Arc<Repository>,
    digest: Digest,
    len_bytes: u64,
    position: u64,
    body: Option<BodyReader<'static>>,
    patience: Patience,
}

impl Download {
    /// Asks for the blob, so that one that is not there is missed at once.
    fn open(repository: Arc<Repository>, blob: &Descriptor) -> Result<Self, Error> {
        let (digest, len_bytes) = (blob.digest.clone(), blob.len_bytes);
        let patience = repository.patience();
        let mut download =
            Self { repository, digest, len_bytes, position: 0, body: None, patience };
        while download.body.is_none() {
            match download.ask() {
                Ok(body) => download.body = Some(body),
                Err(error) => download.patience.after(error)?,
            }
        }
        Ok(download)
    }

    /// Asks for what is left.
    fn ask(&self) -> Result<BodyReader<'static>, Error> {
        let repository = &self.repository;
        let url = repository.url(&format!("blobs/{}", self.digest))?;
        let range = format!("bytes={}-", self.position);
        let mut headers = Vec::new();
        if self.position > 0 {
            headers.push((RANGE, range.as_str()));
        }
        let (_, answer) = repository.call(&Method::GET, &url, &headers, None)?;
        let skip = match answer.status() {
            StatusCode::OK => self.position,
            StatusCode::PARTIAL_CONTENT if self.position > 0 => {
                self.check_range(&answer)?;
                0
            }
            _ => return Err(repository.http.failure(&format!("blob {}", self.digest), answer)),
        };
        let left = self.len_bytes - self.position + skip;
        if let Some(actual) = content_len(&answer).filter(|len| *len != left) {
            let (digest, expected) = (self.digest.clone(), left);
            return Err(store::Error::Size { digest, expected, actual }.into());
        }
        let mut body = answer.into_body().into_reader();
        // Who does not know ranges begins at the beginning.
        let skipped = io::copy(&mut body.by_ref().take(skip), &mut io::sink());
        match skipped {
            Ok(len) if len == skip => Ok(body),
            Ok(_) => Err(Error::Cut(repository.http.host.clone())),
            Err(error) => Err(Error::connection(&repository.http.host)(error.into())),
        }
    }

    /// Refuses another part than the one that was asked for.
    fn check_range(&self, answer: &Answer) -> Result<(), Error> {
        let range = header(answer, &CONTENT_RANGE).unwrap_or_default();
        let start = range.strip_prefix("bytes ").and_then(|range| range.split_once('-'));
        match start.map(|(start, _)| start.trim().parse::<u64>()) {
            Some(Ok(start)) if start == self.position => Ok(()),
            _ => Err(Error::protocol(
                &self.repository.http.host,
                "sends another part of a blob than was asked for",
            )),
        }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let left = usize::try_from(self.len_bytes - self.position).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        if part.is_empty() {
            return Ok(0);
        }
        loop {
            let read = match &mut self.body {
                Some(body) => body.read(part).map_err(ureq::Error::from),
                None => match self.ask() {
                    Ok(body) => {
                        self.body = Some(body);
                        continue;
                    }
                    Err(error) => {
                        self.patience.after(error)?;
                        continue;
                    }
                },
            };
            let host = &self.repository.http.host;
            let error = match read {
                Ok(0) => Error::Cut(host.clone()),
                Ok(len) => {
                    self.position += len as u64;
                    self.patience.progressed(len as u64);
                    self.end();
                    return Ok(len);
                }
                Err(error) => Error::connection(host)(error),
            };
            self.body = None;
            self.patience.after(error)?;
        }
    }

    /// Reads the end of a body that is whole, so that its connection serves again.
    fn end(&mut self) {
        if self.position == self.len_bytes {
            if let Some(mut body) = self.body.take() {
                let _ = body.read(&mut [0]);
            }
        }
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(io::Error::other)
    }
}

fn content_len(answer: &Answer) -> Option<u64> {
    header(answer, &CONTENT_LENGTH)?.parse().ok()
}
