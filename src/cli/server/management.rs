//! The management of a broker that a URL names.

use url::Url;

use super::decoded;
use crate::cli::secret;
use crate::error::{Error, Result};
use crate::source::management::Address;

const FLAG: &str = "--management-url";
/// How it is written.
const WRITTEN: &str = "write it as http://user:password@host:15672/VHOST (the usual vhost / is written %2f, or left out)";

/// Where the management is that the URL names. The URL is never shown.
///
/// # Errors
/// When it cannot be meant (usage).
pub(in crate::cli) fn management(url: &str) -> Result<Address> {
    let cannot =
        |why: &str| Error::usage(format!("{FLAG}: the URL cannot be read: {why}")).help(WRITTEN);
    secret::readable(FLAG, url)?;
    let read = Url::parse(url).map_err(|e| cannot(&e.to_string()))?;
    if !["http", "https"].contains(&read.scheme()) {
        return Err(cannot("it begins with neither http nor https"));
    }
    let host = read.host_str().ok_or_else(|| cannot("it names no host"))?;
    let port = read.port().map_or(String::new(), |port| format!(":{port}"));
    if read.query().is_some() {
        return Err(cannot("there are no parameters"));
    }
    let vhost = match read.path().trim_start_matches('/') {
        "" => "/".to_owned(),
        name => decoded(FLAG, name)?,
    };
    // As in --amqp-url.
    let (user, password) = match read.username() {
        "" => ("guest", "guest"),
        user => (user, read.password().unwrap_or_default()),
    };
    Ok(Address {
        base: format!("{}://{host}{port}", read.scheme()),
        user: decoded(FLAG, user)?,
        password: decoded(FLAG, password)?,
        vhost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_login_and_vhost() {
        let of = |url: &str| {
            let Address { base, user, password, vhost } = management(url).unwrap();
            [base, user, password, vhost]
        };
        assert_eq!(of("http://mq:15672"), ["http://mq:15672", "guest", "guest", "/"]);
        assert_eq!(of("http://mq:15672/%2f"), ["http://mq:15672", "guest", "guest", "/"]);
        let all = ["https://[::1]", "a@b", "x/y", "shop"];
        assert_eq!(of("https://a%40b:x%2Fy@[::1]/shop"), all);
        for url in ["mq:15672", "amqp://mq", "http://", "http://u:hunter#2@mq", "http://mq/a?b=c"] {
            let error = management(url).err().expect("refused").to_string();
            assert!(error.contains("--management-url") && !error.contains("hunter"), "{error}");
        }
    }
}
