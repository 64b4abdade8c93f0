//! Connections: what is sent, as it is sent, with limits on time and size. Who is asked
//! what, and with which credentials, is for [`super::repository`].

use std::io::{self, Read};
use std::time::Duration;

use common::time::{self, Timestamp};
use serde::Deserialize;
use ureq::http::header::{CONTENT_LENGTH, HeaderName, LOCATION, RETRY_AFTER};
use ureq::http::{Method, Request, Response, Uri, request};
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, RustlsConnector, TcpConnector,
};
use ureq::{Agent, Body, SendBody};

use super::Error;
use super::pace::{Pace, Paced};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a peer may be silent in the middle of something.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to think: a registry hashes a whole blob before it answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// As much of a refusal as is read.
const MAX_REFUSAL_LEN_BYTES: u64 = 64 << 10;
/// As much of it as is shown.
const MAX_SHOWN_LEN: usize = 300;
const BUFFER_LEN_BYTES: usize = 256 << 10;
/// As much as is sent at once, and measured at once.
const OUTPUT_LEN_BYTES: usize = 32 << 10;

/// An answer, its body unread.
pub(super) type Answer = Response<Body>;
/// A request's headers.
pub(super) type Headers<'h> = [(HeaderName, &'h str)];

/// Connections to one registry and to whom it sends us.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    /// The registry, for messages.
    pub(super) host: String,
}

/// What is sent with a request.
pub(super) struct Upload<'r> {
    pub(super) body: &'r mut dyn Read,
    /// `None`: as long as it takes, in chunks (RFC 9112, section 7.1).
    pub(super) len_bytes: Option<u64>,
}

impl Http {
    pub(super) fn new(host: &str, tls: TlsConfig, proxied: bool, pace: Pace) -> Self {
        let mut config = Agent::config_builder()
            .tls_config(tls)
            // Redirects and refusals are ours to judge.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("layerutils/", env!("CARGO_PKG_VERSION")))
            // A blob is wanted as it is.
            .accept_encoding("identity")
            .input_buffer_size(BUFFER_LEN_BYTES)
            .output_buffer_size(OUTPUT_LEN_BYTES)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_per_read(Some(STALL_TIMEOUT))
            .timeout_per_write(Some(STALL_TIMEOUT));
        if !proxied {
            config = config.proxy(None);
        }
        // ureq's own chain, with the floor under TLS.
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(Paced(pace))
                .chain(RustlsConnector::default());
        let agent = Agent::with_parts(config.build(), connector, DefaultResolver::default());
        Self { agent, host: host.to_owned() }
    }

    /// Sends a request that has no body.
    pub(super) fn ask(
        &self,
        method: &Method,
        url: &Uri,
        headers: &Headers<'_>,
    ) -> Result<Answer, Error> {
        let request = request(method, url, headers).body(());
        self.run(request.map_err(|error| self.malformed(&error))?)
    }

    /// Sends a request with a body. The answer may take long.
    pub(super) fn send(
        &self,
        method: &Method,
        url: &Uri,
        headers: &Headers<'_>,
        upload: &mut Upload<'_>,
    ) -> Result<Answer, Error> {
        let mut builder = request(method, url, headers);
        if let Some(len_bytes) = upload.len_bytes {
            builder = builder.header(CONTENT_LENGTH, len_bytes);
        }
        let request = builder.body(SendBody::from_reader(upload.body));
        let request = request.map_err(|error| self.malformed(&error))?;
        let request =
            self.agent.configure_request(request).timeout_per_read(Some(ANSWER_TIMEOUT)).build();
        self.run(request)
    }

    fn run(&self, request: Request<impl ureq::AsSendBody>) -> Result<Answer, Error> {
        self.agent.run(request).map_err(Error::connection(&self.host))
    }

    fn malformed(&self, error: &ureq::http::Error) -> Error {
        Error::protocol(&self.host, format!("a request that cannot be sent: {error}"))
    }

    /// What an answer that is no success means.
    pub(super) fn failure(&self, what: &str, answer: Answer) -> Error {
        let status = answer.status().as_u16();
        let retry_after = header(&answer, &RETRY_AFTER).and_then(pause);
        let what = what.to_owned();
        let detail = detail(answer);
        let denied = |what| Error::Denied { host: self.host.clone(), what, detail: detail.clone() };
        match status {
            401 => denied("the credentials are missing or not accepted"),
            403 => denied("access denied"),
            404 => Error::Missing { what, detail },
            _ => Error::Status { what, status, detail, retry_after },
        }
    }

    /// Where an answer sends us, as it stands.
    pub(super) fn location<'a>(&self, answer: &'a Answer) -> Result<&'a str, Error> {
        header(answer, &LOCATION)
            .ok_or_else(|| Error::protocol(&self.host, "no Location in the answer"))
    }
}

fn request(method: &Method, url: &Uri, headers: &Headers<'_>) -> request::Builder {
    let builder = Request::builder().method(method).uri(url);
    headers.iter().fold(builder, |builder, (name, value)| builder.header(name, *value))
}

/// A header that is text.
pub(super) fn header<'a>(answer: &'a Answer, name: &HeaderName) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// The pause that `Retry-After` asks for (RFC 9110, section 10.2.3).
fn pause(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = Timestamp::parse_http_date(text).ok()?;
    let seconds = until.seconds.saturating_sub(time::clock().seconds);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Reads a body to its end, which must come before one byte more than `limit`.
pub(super) fn read_body(answer: Answer, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    answer.into_body().into_reader().take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a registry says of itself (distribution-spec, "Error Codes").
fn detail(answer: Answer) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        errors: Vec<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        code: String,
        #[serde(default)]
        message: String,
    }
    let mut bytes = Vec::new();
    let body = answer.into_body().into_reader();
    let _ = body.take(MAX_REFUSAL_LEN_BYTES).read_to_end(&mut bytes);
    let refusal: Option<Refusal> = serde_json::from_slice(&bytes).ok();
    let reason = refusal.and_then(|refusal| refusal.errors.into_iter().next());
    let said = match reason {
        Some(Reason { code, message }) if message.is_empty() => code,
        Some(Reason { message, .. }) => message,
        None => return String::new(),
    };
    format!(": {}", said.chars().take(MAX_SHOWN_LEN).collect::<String>())
}
