//! TLS to a broker: its certificate is made out to the host and signed by an authority that this
//! machine trusts, or by one of `SSL_CERT_FILE`.

use std::io;
use std::sync::Arc;

use futures_lite::io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

/// Begins TLS on a connection to the host.
///
/// # Errors
/// When no authority is known, or the broker's certificate is none of theirs.
pub(super) async fn begin<S>(host: String, stream: S) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Those of a machine's many that cannot be read sign for nobody.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let why = found.errors.first().map(|e| format!(": {e}")).unwrap_or_default();
        return Err(io::Error::other(format!("no authority's certificate is known{why}")));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}
