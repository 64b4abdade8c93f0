//! Lists of a registry, its tags and repositories, and what is taken away from it.

use common::digest::Digest;
use serde::Deserialize;
use ureq::http::header::{HeaderName, LINK};
use ureq::http::{Method, StatusCode, Uri};

use super::http::{Answer, header, read_body};
use super::repository::{Repository, accepted};
use super::url::join;
use super::{Error, Target};

/// Names that are asked for at once, as crane does: more are refused by some.
const PAGE: usize = 1000;
/// One page of names.
const MAX_PAGE_LEN_BYTES: u64 = 4 << 20;
/// All pages together.
const MAX_NAMES: usize = 1_000_000;
const MAX_LEN_BYTES: usize = 64 << 20;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A page of either list; Go writes an empty one as `null`.
#[derive(Deserialize)]
struct Page {
    #[serde(default, alias = "repositories")]
    tags: Option<Vec<String>>,
}

impl Repository {
    /// The tags of the repository, or of a connection to the whole registry the names of its
    /// repositories, as the registry orders them.
    ///
    /// # Errors
    /// No such repository; a registry that does not tell.
    pub fn list(&self) -> Result<Vec<String>, Error> {
        let (what, mut url) = match self.path.is_empty() {
            true => ("catalog", self.registry_url(&format!("/v2/_catalog?n={PAGE}"))?),
            false => ("list of tags", self.url(&format!("tags/list?n={PAGE}"))?),
        };
        let mut names = Vec::new();
        let mut len_bytes = 0;
        loop {
            let (page, next) = self.patience().try_again(|| self.page(what, &url))?;
            let count = page.len();
            len_bytes += page.iter().map(String::len).sum::<usize>();
            names.extend(page);
            let is_long = names.len() >= MAX_NAMES || len_bytes >= MAX_LEN_BYTES;
            match next {
                // A page of nothing that leads on could do so for ever.
                Some(next) if count > 0 && !is_long => url = next,
                Some(_) if count > 0 => {
                    return Err(Error::protocol(&self.http.host, "a list without an end"));
                }
                _ => return Ok(names),
            }
        }
    }

    fn page(&self, what: &str, url: &Uri) -> Result<(Vec<String>, Option<Uri>), Error> {
        let (from, answer) = self.call(&Method::GET, url, &[], None)?;
        if answer.status() != StatusCode::OK {
            return Err(self.http.failure(what, answer));
        }
        let next = next(&answer).map(|next| {
            let refused = || Error::Refused {
                host: self.http.host.clone(),
                what: "continues its list elsewhere",
                url: next.to_owned(),
            };
            join(&from, next).filter(|next| self.is_own(next)).ok_or_else(refused)
        });
        let next = next.transpose()?;
        let bytes = read_body(answer, MAX_PAGE_LEN_BYTES)
            .map_err(|error| Error::connection(&self.http.host)(error.into()))?;
        let page: Page = serde_json::from_slice(&bytes)
            .map_err(|_| Error::protocol(&self.http.host, format!("the {what} is none")))?;
        Ok((page.tags.unwrap_or_default(), next))
    }

    /// The digest of what `target` names; nothing is read of it.
    ///
    /// # Errors
    /// Nothing of this name; a registry that does not say what it is.
    pub fn digest(&self, target: &Target) -> Result<Digest, Error> {
        if let Target::Digest(digest) = target {
            return Ok(digest.clone());
        }
        let url = self.url(&format!("manifests/{target}"))?;
        let (name, types) = accepted();
        self.patience().try_again(|| {
            let headers = [(name.clone(), types.as_str())];
            let (_, answer) = self.call(&Method::HEAD, &url, &headers, None)?;
            if answer.status() != StatusCode::OK {
                return Err(self.http.failure(&format!("manifest {target}"), answer));
            }
            let stated = header(&answer, &CONTENT_DIGEST).and_then(|digest| digest.parse().ok());
            stated.ok_or_else(|| Error::protocol(&self.http.host, "does not tell the digest"))
        })
    }

    /// Takes away a tag, or a manifest with all its tags.
    ///
    /// # Errors
    /// Nothing of this name; a registry that does not let us.
    pub fn delete(&self, target: &Target) -> Result<(), Error> {
        let url = self.url(&format!("manifests/{target}"))?;
        let (_, answer) = self.call(&Method::DELETE, &url, &[], None)?;
        match answer.status() {
            StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(self.http.failure(&format!("manifest {target}"), answer)),
        }
    }
}

/// Where the list goes on (RFC 8288).
fn next(answer: &Answer) -> Option<&str> {
    let link = header(answer, &LINK)?;
    link.split(',').find_map(|link| {
        let (target, parameters) = link.split_once(';')?;
        let is_next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim().to_ascii_lowercase();
            matches!(parameter.as_str(), "rel=next" | "rel=\"next\"")
        });
        is_next.then(|| target.trim().strip_prefix('<')?.strip_suffix('>'))?
    })
}
