//! TLS to a broker: its certificate is made out to the host and signed by an authority that this
//! machine trusts, by one of `SSL_CERT_FILE`, or by the one that is named.

use std::io;
use std::sync::Arc;

use futures_lite::io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use crate::error::Result;
use crate::mysql::tls::{certificates, private_key};
use crate::source::queue::Tls;

/// The files can be used.
///
/// # Errors
/// When one cannot (usage).
pub(super) fn check(tls: &Tls) -> Result<()> {
    tls.ca.iter().try_for_each(|file| certificates(file).map(drop))?;
    tls.identity.iter().try_for_each(|identity| {
        certificates(&identity.certificate)?;
        private_key(&identity.key).map(drop)
    })
}

/// Begins TLS on a connection to the host.
///
/// # Errors
/// When no authority is known, a file cannot be used, or the broker's certificate is none of theirs.
pub(super) async fn begin<S>(host: String, tls: &Tls, stream: S) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots(tls)?);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let certificate = certificates(&identity.certificate).map_err(io::Error::other)?;
            let key = private_key(&identity.key).map_err(io::Error::other)?;
            builder.with_client_auth_cert(certificate, key).map_err(io::Error::other)?
        }
    };
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn roots(tls: &Tls) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (found, why) = match &tls.ca {
        Some(file) => (certificates(file).map_err(io::Error::other)?, None),
        None => {
            let found = rustls_native_certs::load_native_certs();
            (found.certs, found.errors.first().map(|e| format!(": {e}")))
        }
    };
    // Those of a machine's many that cannot be read sign for nobody.
    let (usable, _) = roots.add_parsable_certificates(found);
    if usable == 0 {
        let why = why.unwrap_or_default();
        return Err(io::Error::other(format!("no authority's certificate is known{why}")));
    }
    Ok(roots)
}
