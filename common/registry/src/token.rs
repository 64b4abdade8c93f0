//! What is sent to prove who we are: nothing, a password, or a token that is fetched
//! and renewed (distribution's "Token Authentication" and "OAuth2").

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use ureq::http::{Method, Uri};

use super::challenge::{self, Challenge};
use super::http::{Answer, Http, Upload, read_body};
use super::retry::Patience;
use super::url::{Origin, encode, with_query};
use super::{Credentials, Error};

/// A token that does not say lasts so long.
const LIFETIME: Duration = Duration::from_secs(60);
/// One that is about to end is not sent any more.
const MARGIN: Duration = Duration::from_secs(10);
const MAX_ANSWER_LEN_BYTES: u64 = 256 << 10;
const MAX_TOKEN_LEN: usize = 32 << 10;

/// The state of our acquaintance with a registry.
#[derive(Debug)]
pub(super) struct Session {
    credentials: Option<Credentials>,
    /// What we want to do, as token servers have it.
    scopes: Vec<String>,
    retries: u32,
    proof: Mutex<Proof>,
}

#[derive(Debug)]
enum Proof {
    Nothing,
    Password(String),
    Token { value: String, until: Instant, realm: Uri, service: Option<String> },
}

impl Session {
    pub(super) fn new(credentials: Option<Credentials>, scopes: Vec<String>, retries: u32) -> Self {
        Self { credentials, scopes, retries, proof: Mutex::new(Proof::Nothing) }
    }

    fn proof(&self) -> MutexGuard<'_, Proof> {
        self.proof.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of `Authorization` for the registry itself.
    pub(super) fn authorization(&self, http: &Http) -> Result<Option<String>, Error> {
        let mut proof = self.proof();
        match &*proof {
            Proof::Nothing => Ok(None),
            Proof::Password(value) => Ok(Some(value.clone())),
            Proof::Token { value, until, .. } if *until > Instant::now() => {
                Ok(Some(format!("Bearer {value}")))
            }
            Proof::Token { realm, service, .. } => {
                let (realm, service) = (realm.clone(), service.clone());
                self.renew(http, &mut proof, realm, service).map(Some)
            }
        }
    }

    /// Answers the challenge of a registry at `origin`; `insecure` if it was asked for
    /// plain connections.
    pub(super) fn challenged(
        &self,
        http: &Http,
        origin: &Origin,
        insecure: bool,
        answer: &Answer,
    ) -> Result<(), Error> {
        let headers = answer.headers().get_all(WWW_AUTHENTICATE);
        let challenge = challenge::choose(headers.iter().filter_map(|value| value.to_str().ok()));
        let mut proof = self.proof();
        match challenge {
            None => Err(Error::protocol(&http.host, "wants credentials, and does not say which")),
            Some(Challenge::Basic) => {
                let basic = self.credentials.as_ref().and_then(Credentials::basic);
                let what = match &*proof {
                    Proof::Password(_) => "the credentials are not accepted",
                    _ => "credentials are needed",
                };
                match basic.filter(|_| !matches!(*proof, Proof::Password(_))) {
                    Some(value) => {
                        *proof = Proof::Password(value);
                        Ok(())
                    }
                    None => {
                        let (host, detail) = (http.host.clone(), String::new());
                        Err(Error::Denied { host, what, detail })
                    }
                }
            }
            Some(Challenge::Bearer { realm, service }) => {
                let realm = acceptable(http, origin, insecure, &realm)?;
                self.renew(http, &mut proof, realm, service).map(drop)
            }
        }
    }

    fn renew(
        &self,
        http: &Http,
        proof: &mut Proof,
        realm: Uri,
        service: Option<String>,
    ) -> Result<String, Error> {
        let fetch = || self.fetch(http, &realm, service.as_deref());
        let (value, lifetime) = Patience::new(self.retries).try_again(fetch)?;
        let authorization = format!("Bearer {value}");
        let until = Instant::now() + lifetime.saturating_sub(MARGIN).max(MARGIN / 10);
        *proof = Proof::Token { value, until, realm, service };
        Ok(authorization)
    }

    fn fetch(
        &self,
        http: &Http,
        realm: &Uri,
        service: Option<&str>,
    ) -> Result<(String, Duration), Error> {
        let answer = match &self.credentials {
            Some(Credentials::Identity(token)) => self.exchange(http, realm, service, token)?,
            other => {
                let basic = other.as_ref().and_then(Credentials::basic);
                let headers: Vec<(HeaderName, &str)> =
                    basic.iter().map(|value| (AUTHORIZATION, value.as_str())).collect();
                let url = self.question(http, realm, service)?;
                http.ask(&Method::GET, &url, &headers)?
            }
        };
        if !answer.status().is_success() {
            return Err(http.failure("token", answer));
        }
        let bytes = read_body(answer, MAX_ANSWER_LEN_BYTES)
            .map_err(|error| Error::connection(&http.host)(error.into()))?;
        parse(&bytes)
            .ok_or_else(|| Error::protocol(&http.host, "no token in the token server's answer"))
    }

    /// The token server's URL with what we want of it.
    fn question(&self, http: &Http, realm: &Uri, service: Option<&str>) -> Result<Uri, Error> {
        let service = service.map(|service| ("service", service));
        let scopes = self.scopes.iter().map(|scope| ("scope", scope.as_str()));
        let mut parameters = service.into_iter().chain(scopes);
        let url =
            parameters.try_fold(realm.clone(), |url, (name, value)| with_query(&url, name, value));
        url.ok_or_else(|| Error::protocol(&http.host, "a realm that cannot be asked"))
    }

    /// Exchanges an identity token for one of a registry.
    fn exchange(
        &self,
        http: &Http,
        realm: &Uri,
        service: Option<&str>,
        token: &str,
    ) -> Result<Answer, Error> {
        let form = format!(
            "grant_type=refresh_token&client_id=layerutils&service={}&scope={}&refresh_token={}",
            encode(service.unwrap_or_default()),
            encode(&self.scopes.join(" ")),
            encode(token)
        );
        let headers = [(CONTENT_TYPE, "application/x-www-form-urlencoded")];
        let mut upload = Upload { len_bytes: Some(form.len() as u64), body: &mut form.as_bytes() };
        http.send(&Method::POST, realm, &headers, &mut upload)
    }
}

/// A realm to which a password may go: the registry names it, so that a registry must
/// not be able to make us send one in the clear, or knock at our own machine's doors.
fn acceptable(http: &Http, origin: &Origin, insecure: bool, realm: &str) -> Result<Uri, Error> {
    let refused = |what| Error::Refused { host: http.host.clone(), what, url: realm.to_owned() };
    let url: Uri = realm.parse().map_err(|_| refused("not a token server's address"))?;
    let server = Origin::of(&url).ok_or_else(|| refused("not a token server's address"))?;
    match origin.may_lead_to(&server, insecure) {
        true => Ok(url),
        false => Err(refused("sends us to a token server that is not to be trusted")),
    }
}

fn parse(bytes: &[u8]) -> Option<(String, Duration)> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        token: Option<String>,
        #[serde(default)]
        access_token: Option<String>,
        #[serde(default)]
        expires_in: Option<u64>,
    }
    let answer: Answer = serde_json::from_slice(bytes).ok()?;
    let token = answer.token.filter(|token| !token.is_empty()).or(answer.access_token)?;
    let fits = !token.is_empty()
        && token.len() <= MAX_TOKEN_LEN
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    let lifetime = answer.expires_in.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    // A day is more than any registry gives, and keeps the arithmetic of time safe.
    let lifetime = lifetime.unwrap_or(LIFETIME).min(Duration::from_secs(86_400));
    fits.then_some((token, lifetime))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn tokens_come_in_two_dresses() {
        let token = |text: &str| parse(text.as_bytes());
        assert_eq!(token(r#"{"token":"a"}"#), Some(("a".into(), Duration::from_secs(60))));
        let other = token(r#"{"access_token":"b","expires_in":300,"token":""}"#);
        assert_eq!(other, Some(("b".into(), Duration::from_secs(300))));
        for bad in ["", "{}", r#"{"token":"a\r\nX: y"}"#, r#"{"token":7}"#, r#"{"token":""}"#] {
            assert_eq!(token(bad), None, "{bad}");
        }
        let long = token(r#"{"token":"a","expires_in":18446744073709551615}"#);
        assert_eq!(long, Some(("a".into(), Duration::from_secs(86_400))));
    }
}
