//! A file behind a URL that is no registry's: fetched without credentials, with the same
//! limits and the same rules for redirects.

use std::io::Read;

use common::time::Timestamp;
use ureq::http::header::{ETAG, HeaderName, IF_NONE_MATCH, LAST_MODIFIED};
use ureq::http::{Method, StatusCode, Uri};

use super::Error;
use super::http::{Http, header};
use super::pace::Pace;
use super::repository::is_redirect;
use super::tls;
use super::url::{Origin, join};

/// More than this go in a circle.
const MAX_REDIRECTS: u32 = 10;

/// An answer to [`fetch`].
pub enum Fetched {
    /// The file still has the entity tag that was given.
    Unchanged,
    /// The file.
    File(Download),
}

/// A file that is being fetched.
pub struct Download {
    /// Identifies this version of the content (RFC 9110, section 8.8.3).
    pub etag: Option<String>,
    /// The time of its last change, as the server says.
    pub last_modified: Option<Timestamp>,
    /// Its content; a connection that is cut is an error.
    pub content: Box<dyn Read>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("etag", &self.etag).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unchanged => "Unchanged",
            Self::File(_) => "File",
        })
    }
}

/// Fetches an `http://` or `https://` URL, unless its file has the entity tag `known`.
///
/// # Errors
/// A URL that is none, a server that fails or refuses, a redirect that is not to be followed.
pub fn fetch(url: &str, known: Option<&str>) -> Result<Fetched, Error> {
    common::cli::add_hints(super::client::hint);
    let malformed = || Error::protocol(url, "not a URL");
    let first: Uri = url.parse().map_err(|_| malformed())?;
    let origin = Origin::of(&first).ok_or_else(malformed)?;
    let headers: Vec<(HeaderName, &str)> =
        known.map(|tag| (IF_NONE_MATCH, tag)).into_iter().collect();
    let mut at = first;
    for _ in 0..=MAX_REDIRECTS {
        let here = Origin::of(&at).ok_or_else(malformed)?;
        let authority = at.authority().map(|authority| authority.as_str().to_owned());
        let authority = authority.unwrap_or_default();
        let tls = tls::config(&authority, true, None)?;
        let http = Http::new(&authority, tls, !here.is_loopback(), Pace::default());
        let answer = http.ask(&Method::GET, &at, &headers)?;
        match answer.status() {
            StatusCode::NOT_MODIFIED if known.is_some() => return Ok(Fetched::Unchanged),
            status if status.is_success() => {
                let last_modified = header(&answer, &LAST_MODIFIED);
                return Ok(Fetched::File(Download {
                    etag: header(&answer, &ETAG).map(str::to_owned),
                    last_modified: last_modified
                        .and_then(|text| Timestamp::parse_http_date(text).ok()),
                    content: Box::new(answer.into_body().into_reader()),
                }));
            }
            status if is_redirect(status) => {
                let location = http.location(&answer)?;
                let refused = || Error::Refused {
                    host: authority.clone(),
                    what: "redirects to where it is not to be followed",
                    url: location.to_owned(),
                };
                let next = join(&at, location).ok_or_else(refused)?;
                let to = Origin::of(&next).ok_or_else(refused)?;
                if !origin.may_lead_to(&to, false) {
                    return Err(refused());
                }
                at = next;
            }
            _ => return Err(http.failure(url, answer)),
        }
    }
    Err(Error::protocol(url, "more redirects than are followed"))
}
