//! One repository of a registry: found, and asked in our name.

use std::path::PathBuf;

use common::oci::media_type;
use ureq::http::header::{ACCEPT, AUTHORIZATION, HeaderName};
use ureq::http::{Method, StatusCode, Uri};

use super::configured::{Configured, Place};
use super::http::{Answer, Headers, Http, Upload};
use super::retry::Patience;
use super::token::Session;
use super::url::{Origin, Scheme, join};
use super::{Credentials, Error, Pace, RegistryReference, credentials, tls};

/// More than any registry needs.
const MAX_REDIRECTS: usize = 5;

/// The number of retries unless the user sets another.
pub const RETRIES: u32 = 5;

/// How to reach a registry.
#[derive(Debug, Clone)]
pub struct Options {
    /// Instead of what the files say.
    pub credentials: Option<Credentials>,
    /// The file of credentials, instead of the usual ones.
    pub authfile: Option<PathBuf>,
    /// Whether to check certificates. Without a word: always, and a registry on this
    /// machine may do without TLS.
    pub tls_verify: Option<bool>,
    /// The folder of certificates, instead of the usual ones.
    pub cert_dir: Option<PathBuf>,
    /// How often something that failed is tried again.
    pub retries: u32,
    /// How slow it may be.
    pub pace: Pace,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            credentials: None,
            authfile: None,
            tls_verify: None,
            cert_dir: None,
            retries: RETRIES,
            pace: Pace::default(),
        }
    }
}

/// What is to be done in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Pull,
    /// Write.
    Push,
    /// Take away.
    Delete,
    /// Check credentials.
    LogIn,
}

/// A repository that answers.
#[derive(Debug)]
pub struct Repository {
    pub(super) http: Http,
    pub(super) path: String,
    /// As names have it, not as it is reached.
    pub(super) host: String,
    base: String,
    origin: Origin,
    insecure: bool,
    /// Whether to speak plain HTTP to who knows nothing else.
    plain_allowed: bool,
    session: Session,
    retries: u32,
}

impl Repository {
    /// Connects to the registry of `reference`, at its configured location, and authenticates.
    /// Blobs may be taken from the repositories `others`.
    ///
    /// # Errors
    /// No registry there, or one that is blocked; credentials that are missing or not accepted.
    pub fn connect(
        reference: &RegistryReference,
        access: Access,
        others: &[String],
        options: &Options,
    ) -> Result<Self, Error> {
        let place = Configured::of(reference)?.own(reference)?;
        Self::connect_to(&place, reference, access, others, options)
    }

    /// As [`Repository::connect`], to one place of the image `named`.
    pub(super) fn connect_to(
        place: &Place,
        named: &RegistryReference,
        access: Access,
        others: &[String],
        given: &Options,
    ) -> Result<Self, Error> {
        common::cli::add_hints(super::client::hint);
        let (reference, options) = (&place.reference, place.options(named, given));
        if reference != named {
            // Another place may be blocked. Its own location and mirrors do not count.
            Configured::of(reference)?;
        }
        let credentials = match &options.credentials {
            Some(given) => Some(given.clone()),
            None => credentials::find(reference, options.authfile.as_deref())?,
        };
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
            Access::Delete => "pull,delete",
            Access::LogIn => "",
        };
        let mut scopes = match reference.path.as_str() {
            _ if access == Access::LogIn => Vec::new(),
            "" => vec!["registry:catalog:*".to_owned()],
            path => vec![format!("repository:{path}:{actions}")],
        };
        scopes.extend(others.iter().map(|other| format!("repository:{other}:pull")));
        let authority = reference.authority();
        let verify = options.tls_verify != Some(false);
        let tls = tls::config(authority, verify, options.cert_dir.as_deref())?;
        let url = |scheme: Scheme| format!("{}://{authority}/v2/", scheme.name()).parse::<Uri>();
        let origin = url(Scheme::Https).ok().and_then(|url| Origin::of(&url));
        let origin = origin.ok_or_else(|| Error::protocol(authority, "not a host"))?;
        let loopback = origin.is_loopback();
        let mut repository = Self {
            http: Http::new(authority, tls, !loopback, options.pace),
            path: reference.path.clone(),
            host: reference.host.clone(),
            base: format!("{}://{authority}", Scheme::Https.name()),
            origin,
            insecure: !verify,
            plain_allowed: options.tls_verify.map_or(loopback, |verify| !verify),
            session: Session::new(credentials, scopes, options.retries),
            retries: options.retries,
        };
        match repository.ping(access) {
            Err(error) if repository.plain_allowed && error.may_be_plain() => {
                repository.base = format!("{}://{authority}", Scheme::Http.name());
                let url = url(Scheme::Http).ok().and_then(|url| Origin::of(&url));
                repository.origin = url.ok_or_else(|| Error::protocol(authority, "not a host"))?;
                repository.ping(access)?;
            }
            answered => answered?,
        }
        Ok(repository)
    }

    /// Returns true if `other` is the same repository of the same registry.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.host, &self.path) == (&other.host, &other.path)
    }

    /// Checks that there is a registry, which also says how to authenticate.
    fn ping(&self, access: Access) -> Result<(), Error> {
        let url = self.registry_url("/v2/")?;
        // A first connection that fails may have been the wrong kind of connection.
        let may_be_plain = self.origin.scheme == Scheme::Https && self.plain_allowed;
        Patience::new(if may_be_plain { 0 } else { self.retries }).try_again(|| {
            let answer = self.call(&Method::GET, &url, &[], None)?.1;
            match answer.status() {
                status if status.is_success() => Ok(()),
                // Some give tokens for repositories only.
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if access != Access::LogIn => {
                    Ok(())
                }
                _ => Err(self.http.failure("a registry", answer)),
            }
        })
    }

    pub(super) fn registry_url(&self, path: &str) -> Result<Uri, Error> {
        let text = format!("{}{path}", self.base);
        text.parse().map_err(|_| Error::protocol(&self.http.host, "not a host"))
    }

    /// The URL of something in the repository.
    pub(super) fn url(&self, below: &str) -> Result<Uri, Error> {
        self.registry_url(&format!("/v2/{}/{below}", self.path))
    }

    pub(super) fn patience(&self) -> Patience {
        Patience::new(self.retries)
    }

    /// Whether a URL is the registry's own.
    pub(super) fn is_own(&self, url: &Uri) -> bool {
        Origin::of(url).as_ref() == Some(&self.origin)
    }

    /// Sends a request and returns the answer, with the URL that it came from in the
    /// end. Proves who we are to the registry and to nobody else; follows redirects of
    /// what is only read, as far as [`Origin::may_lead_to`] lets it.
    pub(super) fn call(
        &self,
        method: &Method,
        url: &Uri,
        headers: &Headers<'_>,
        mut upload: Option<Upload<'_>>,
    ) -> Result<(Uri, Answer), Error> {
        let mut url = url.clone();
        let (mut redirects, mut challenged) = (0, false);
        loop {
            let own = self.is_own(&url);
            let authorization = if own { self.session.authorization(&self.http)? } else { None };
            let mut headers: Vec<(HeaderName, &str)> = headers.to_vec();
            headers.extend(authorization.iter().map(|value| (AUTHORIZATION, value.as_str())));
            let answer = match &mut upload {
                Some(upload) => self.http.send(method, &url, &headers, upload)?,
                None => self.http.ask(method, &url, &headers)?,
            };
            match answer.status() {
                StatusCode::UNAUTHORIZED if own && !challenged => {
                    challenged = true;
                    self.session.challenged(&self.http, &self.origin, self.insecure, &answer)?;
                    if upload.as_ref().is_some_and(|upload| upload.len_bytes != Some(0)) {
                        // What was sent cannot be sent twice.
                        return Err(Error::Expired(self.http.host.clone()));
                    }
                }
                status if is_redirect(status) && is_reading(method) => {
                    redirects += 1;
                    if redirects > MAX_REDIRECTS {
                        let what = "more redirects than are followed";
                        return Err(Error::protocol(&self.http.host, what));
                    }
                    url = self.redirected(&url, &answer)?;
                }
                _ => return Ok((url, answer)),
            }
        }
    }

    fn redirected(&self, url: &Uri, answer: &Answer) -> Result<Uri, Error> {
        let location = self.http.location(answer)?;
        let refused =
            |what| Error::Refused { host: self.http.host.clone(), what, url: location.to_owned() };
        let next = join(url, location).ok_or_else(|| refused("redirects to what is no address"))?;
        let to = Origin::of(&next).ok_or_else(|| refused("redirects to what is no address"))?;
        if self.origin.may_lead_to(&to, self.insecure) {
            Ok(next)
        } else {
            Err(refused("redirects to where it is not to be followed"))
        }
    }
}

/// The documents that we read, for `Accept`.
pub(super) fn accepted() -> (HeaderName, String) {
    let all = [
        media_type::MANIFEST,
        media_type::INDEX,
        media_type::DOCKER_MANIFEST,
        media_type::DOCKER_INDEX,
    ];
    (ACCEPT, all.join(", "))
}

/// Returns true if a status redirects to another URL.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn is_reading(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}
