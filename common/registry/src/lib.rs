//! A registry: the client side of the OCI distribution protocol, version 1.1
//! (github.com/opencontainers/distribution-spec), blocking and bounded.
//!
//! The protocol is carried out here, over `ureq` and `rustls`. The field's client crate,
//! `oci-client`, was weighed against that: it brings five times the packages (149, an
//! asynchronous runtime and a TLS library that needs cmake among them), retries and
//! resumes nothing, follows redirects and realms wherever they lead, reads manifests
//! unbounded, and knows no credential files, so that the hard parts would be ours anyway.
//!
//! One concern a file: what users type (`reference`, `arguments`), connections and what may be
//! asked of whom (`http`, `tls`, `pace`), what is configured (`configured`, `prefix`), who we
//! are (`credentials`, `helper`, `login`, `challenge`, `token`), patience (`retry`), and what
//! is done there (`pull`, `push`, `list`). Tools that read
//! images need no more than a [`Client`], and those that run them a [`Puller`]. What is to
//! be pushed, and in which order, is for `img-copy`.

mod arguments;
mod challenge;
mod client;
mod configured;
mod credentials;
mod download;
mod error;
mod helper;
mod http;
mod list;
mod login;
mod pace;
mod prefix;
mod pull;
mod puller;
mod push;
mod reference;
mod repository;
mod retry;
mod tls;
mod token;
mod url;

pub use arguments::{CredentialsText, ReachOptions, RegistryOptions, check_meant};
pub use client::{Client, open};
pub use credentials::Credentials;
pub use download::{Download, Fetched, fetch};
pub use error::Error;
pub use login::log_in;
pub use pace::{Pace, TooSlow};
pub use puller::{Pull, PullOption, Puller};
pub use push::Pushed;
pub use reference::{RegistryReference, Target};
pub use repository::{Access, Options, RETRIES, Repository};
