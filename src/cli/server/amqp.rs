//! The broker that a URL names: what of it is for TLS, and what is for the client.

use super::decoded;
use crate::error::{Error, Result};
use crate::mysql::server::Identity;
use crate::source::queue::Tls;

const FLAG: &str = "--amqp-url";

/// The URL without the parameters for TLS, and what these say: `ssl-ca`, `ssl-cert` and `ssl-key`, as in
/// the URL of a server. With a certificate and no user, the certificate is the login (EXTERNAL).
///
/// # Errors
/// When they cannot be meant (usage).
pub(in crate::cli) fn amqp(url: &str) -> Result<(String, Tls)> {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut rest, mut files) = (Vec::new(), [const { None }; 3]);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = name.to_ascii_lowercase().replace('_', "-");
        let Some(at) = ["ssl-ca", "ssl-cert", "ssl-key"].iter().position(|known| *known == name)
        else {
            rest.push(part);
            continue;
        };
        if files[at].replace(decoded(FLAG, value)?.into()).is_some() {
            return Err(Error::usage(format!("{FLAG}: {name} is given twice")).help("give it once"));
        }
    }
    let [ca, certificate, key] = files;
    let identity = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        _ => {
            return Err(Error::usage(format!("{FLAG}: ssl-cert and ssl-key belong together"))
                .help("give the client's certificate and its key"));
        }
    };
    let by_tls = before.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("amqps://"));
    if !by_tls && (ca.is_some() || identity.is_some()) {
        return Err(Error::usage(format!("{FLAG}: its certificates are for TLS"))
            .help("write it with amqps://, or leave them out"));
    }
    let named = before.get(8..).is_some_and(|rest| {
        rest.split('/').next().is_some_and(|authority| authority.contains('@'))
    });
    if identity.is_some() && !named {
        rest.push("auth_mechanism=external");
    }
    let url = match rest.is_empty() {
        true => before.to_owned(),
        false => format!("{before}?{}", rest.join("&")),
    };
    Ok((url, Tls { ca, identity }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_taken_from_the_url() {
        let (url, tls) = amqp("amqps://u:p@mq/%2f?heartbeat=5&ssl-ca=/a%20b").unwrap();
        assert_eq!((url.as_str(), tls.ca), ("amqps://u:p@mq/%2f?heartbeat=5", Some("/a b".into())));
        assert!(tls.identity.is_none());
        let (url, tls) = amqp("amqps://mq/%2f?ssl_cert=/c&ssl_key=/k").unwrap();
        assert_eq!(url, "amqps://mq/%2f?auth_mechanism=external");
        let identity = Identity { certificate: "/c".into(), key: "/k".into() };
        assert_eq!(tls.identity.as_ref(), Some(&identity));
        let (url, tls) = amqp("amqps://u:p@mq?ssl-cert=/c&ssl-key=/k").unwrap();
        assert_eq!((url.as_str(), tls.identity), ("amqps://u:p@mq", Some(identity)));
        assert_eq!(amqp("amqp://guest:guest@h").unwrap().0, "amqp://guest:guest@h");
        for (url, word) in [
            ("amqps://mq?ssl-cert=/c", "belong together"),
            ("amqp://mq?ssl-ca=/c", "amqps"),
            ("amqps://mq?ssl-ca=/c&ssl-ca=/d", "twice"),
        ] {
            assert!(amqp(url).expect_err("refused").to_string().contains(word), "{url}");
        }
    }
}
