//! A bucket of an object store that speaks S3.

use std::env;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::crypto::ring::default_provider;
use ureq::http::{Request, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use super::content::Content;
use super::place::{Archive, not_there};
use super::sign::{Keys, Signed};
use crate::error::{Context, Error, ErrorKind, Result};

/// What leads the name of a bucket.
pub(super) const BUCKET: &str = "s3://";
/// A connection is given up after so long, …
const CONNECT: Duration = Duration::from_secs(10);
/// … one that says nothing, or takes nothing, after so long.
const SILENCE: Duration = Duration::from_secs(60);
/// What a path may hold as it is.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// SHA-256 of nothing.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A bucket, and what the names in it begin with.
pub(super) struct Bucket {
    /// As it is written down.
    name: String,
    agent: Agent,
    keys: Keys,
    /// `http` or `https`.
    scheme: String,
    host: String,
    /// The path of the bucket and the prefix, with a slash at its end, not encoded.
    path: String,
}

impl Bucket {
    /// The full name of `BUCKET/PREFIX`.
    ///
    /// # Errors
    /// When it is none (usage).
    pub(super) fn full_name(bucket: &str) -> Result<String> {
        let bucket = bucket.trim_end_matches('/');
        let name = bucket.split('/').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
        match !name.is_empty() && name.chars().all(plain) && !bucket.contains("//") {
            true => Ok(format!("{BUCKET}{bucket}")),
            false => Err(Error::usage(format!("{BUCKET}…: {name:?} is no bucket's name")).help(
                "write s3://BUCKET/PREFIX; the keys and the store's address come from the environment \
                 (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL)",
            )),
        }
    }

    /// A bucket, with what the environment tells of the store.
    ///
    /// # Errors
    /// When that does not name the keys, or an address that is none (usage).
    pub(super) fn open(bucket: &str) -> Result<Self> {
        let told = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let needed = |variable: &str| {
            told(variable).ok_or_else(|| {
                Error::usage(format!("{BUCKET}{bucket}: {variable} is not set")).help(
                    "the keys of an object store come from the environment: AWS_ACCESS_KEY_ID, \
                     AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN where there is one",
                )
            })
        };
        let region = told("AWS_REGION").or_else(|| told("AWS_DEFAULT_REGION"));
        let keys = Keys {
            id: needed("AWS_ACCESS_KEY_ID")?,
            secret: needed("AWS_SECRET_ACCESS_KEY")?,
            token: told("AWS_SESSION_TOKEN"),
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        };
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let endpoint = told("AWS_ENDPOINT_URL_S3").or_else(|| told("AWS_ENDPOINT_URL"));
        let (scheme, host, path) = match &endpoint {
            None => {
                let host = format!("{name}.s3.{}.amazonaws.com", keys.region);
                ("https".to_owned(), host, format!("/{prefix}"))
            }
            Some(url) => {
                let parts = url.trim_end_matches('/').split_once("://");
                let (scheme, rest) = parts
                    .filter(|(scheme, rest)| {
                        ["http", "https"].contains(scheme) && !rest.contains('@')
                    })
                    .ok_or_else(|| {
                        Error::usage("AWS_ENDPOINT_URL: no address of an object store")
                            .help("write https://HOST:PORT")
                    })?;
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let path = if path.is_empty() { String::new() } else { format!("/{path}") };
                (scheme.to_owned(), host.to_owned(), format!("{path}/{name}/{prefix}"))
            }
        };
        let agent = agent(scheme == "https")?;
        Ok(Self { name: format!("{BUCKET}{bucket}"), agent, keys, scheme, host, path })
    }

    /// Sends a request and waits for the answer; those that say that something may pass by itself are
    /// errors.
    fn ask(
        &self,
        method: &str,
        name: &str,
        sha256: &str,
        body: Option<(SendBody<'_>, u64)>,
    ) -> Result<Response<Body>> {
        let place = format!("{}/{name}", self.name);
        let path = utf8_percent_encode(&format!("{}{name}", self.path), PLAIN).to_string();
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers =
            vec![("host", &*self.host), ("x-amz-content-sha256", sha256), ("x-amz-date", &time)];
        headers.extend(self.keys.token.iter().map(|token| ("x-amz-security-token", &**token)));
        let signed = Signed { method, path: &path, headers: &headers, sha256, time: &time };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}://{}{path}", self.scheme, self.host))
            .header("authorization", self.keys.authorization(&signed));
        for (name, value) in headers.into_iter().skip(1) {
            request = request.header(name, value);
        }
        let answer = match body {
            Some((body, bytes)) => {
                let request = request.header("content-length", bytes);
                self.agent.run(request.body(body).context(&place)?)
            }
            None => self.agent.run(request.body(()).context(&place)?),
        };
        let answer = answer.map_err(|e| passing(&place, &e.to_string()))?;
        match answer.status() {
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(passing(&place, &said(answer)))
            }
            _ => Ok(answer),
        }
    }

    fn refused(&self, name: &str, answer: Response<Body>) -> Error {
        Error::stopped(format!("{}/{name}: {}", self.name, said(answer))).help(
            "see that the bucket is there, that AWS_REGION and AWS_ENDPOINT_URL are those of the store, \
             and what its keys may do",
        )
    }
}

impl Archive for Bucket {
    fn put(&self, name: &str, mut file: &File, content: &Content) -> Result<()> {
        file.rewind().context(name)?;
        let body = (SendBody::from_reader(&mut file), content.bytes);
        let answer = self.ask("PUT", name, &content.sha256, Some(body))?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(self.refused(name, answer)),
        }
    }

    fn len(&self, name: &str) -> Result<Option<u64>> {
        let answer = self.ask("HEAD", name, NOTHING, None)?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let length = answer.headers().get("content-length");
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        match length.filter(|_| answer.status().is_success()) {
            Some(length) => Ok(Some(length)),
            None => Err(self.refused(name, answer)),
        }
    }

    fn get(&self, name: &str, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let place = format!("{}/{name}", self.name);
        let answer = self.ask("GET", name, NOTHING, None)?;
        match answer.status() {
            StatusCode::NOT_FOUND => return Err(not_there(&place)),
            status if !status.is_success() => return Err(self.refused(name, answer)),
            _ => {}
        }
        let (mut body, mut piece) = (answer.into_body().into_reader(), vec![0; 1 << 18]);
        loop {
            match body.read(&mut piece).map_err(|e| passing(&place, &e.to_string()))? {
                0 => return Ok(()),
                n => take(&piece[..n])?,
            }
        }
    }
}

/// Sends requests; whoever answers an encrypted one must have a certificate that the system trusts.
fn agent(encrypted: bool) -> Result<Agent> {
    let mut tls = TlsConfig::builder();
    if encrypted {
        let found = rustls_native_certs::load_native_certs().certs;
        if found.is_empty() {
            return Err(Error::failed("the system has no certificates to hold a server's against")
                .help("install them (ca-certificates), or name their file by SSL_CERT_FILE"));
        }
        let trusted: Vec<_> =
            found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        tls = tls
            .root_certs(RootCerts::new_with_certs(&trusted))
            .unversioned_rustls_crypto_provider(Arc::new(default_provider()));
    }
    let config = Agent::config_builder()
        .tls_config(tls.build())
        .http_status_as_error(false)
        // An answer from elsewhere is none to what was signed.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .timeout_per_write(Some(SILENCE));
    Ok(config.build().into())
}

/// What may pass by itself.
fn passing(place: &str, what: &str) -> Error {
    Error::new(ErrorKind::Lost, format!("{place}: {what}"))
        .help("nothing is lost: run the same command again when the archive can be reached")
}

/// The status of an answer, with what it says of it.
fn said(answer: Response<Body>) -> String {
    let status = answer.status();
    let mut text = String::new();
    // Of an answer that cannot be read the status tells enough.
    let _ = answer.into_body().into_reader().take(4096).read_to_string(&mut text);
    let part = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once("</").map(|(value, _)| value.to_owned())
    };
    let parts = [part("Code"), part("Message")].into_iter().flatten();
    std::iter::once(status.to_string()).chain(parts).collect::<Vec<_>>().join(": ")
}
