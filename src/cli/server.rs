//! The server a URL names: its login, and how the way to it is encrypted.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use percent_encoding::percent_decode_str;
use url::Url;

use super::secret;
use crate::config::{self, Address};
use crate::error::{Error, Result};
use crate::mysql::server::{Encryption, Identity, Login, Server};

pub(super) mod amqp;
pub(super) mod management;

/// How a server is written.
const WRITTEN: &str = "write it as mysql://user:password@host:port";

/// How the way to a server is encrypted; each may stand in the URL instead, as `?ssl-mode=…`.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection to the server")]
pub struct TlsArgs {
    /// TLS to the server [default: preferred, with --ssl-ca verify-ca]
    #[arg(long, value_name = "MODE", value_enum, ignore_case = true)]
    ssl_mode: Option<ModeArg>,
    /// File of the certificates (PEM) of those who sign the server's
    #[arg(long, value_name = "FILE")]
    ssl_ca: Option<PathBuf>,
    /// File of the client's own certificate (PEM), with --ssl-key
    #[arg(long, value_name = "FILE")]
    ssl_cert: Option<PathBuf>,
    /// File of its key (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    ssl_key: Option<PathBuf>,
    /// Without TLS, take the key that encrypts the password from the server
    ///
    /// Asked for by caching_sha2_password. Whoever takes the server's place can read the password.
    #[arg(long)]
    get_server_public_key: bool,
}

/// A mode, as the stock clients call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Without TLS
    Disabled,
    /// With TLS where the server offers it
    Preferred,
    /// With TLS or not at all; any certificate
    Required,
    /// The server's certificate is signed by one of --ssl-ca
    #[value(alias = "verify_ca")]
    VerifyCa,
    /// And it is made out to the host of the URL
    #[value(alias = "verify_identity")]
    VerifyIdentity,
}

impl TlsArgs {
    /// True when one was given.
    pub(super) fn any(&self) -> bool {
        let Self { ssl_mode, ssl_ca, ssl_cert, ssl_key, get_server_public_key } = self;
        ssl_mode.is_some()
            || [ssl_ca, ssl_cert, ssl_key].iter().any(|file| file.is_some())
            || *get_server_public_key
    }

    /// The flags with what the URL says; nothing is said twice.
    fn with(&self, flag: &str, url: &Url) -> Result<Self> {
        let mut all = self.clone();
        for part in url.query().unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = name.to_ascii_lowercase().replace('_', "-");
            let value = decoded(flag, value)?;
            let twice = match name.as_str() {
                "ssl-mode" => all.ssl_mode.replace(mode(flag, &value)?).is_some(),
                "ssl-ca" => all.ssl_ca.replace(value.into()).is_some(),
                "ssl-cert" => all.ssl_cert.replace(value.into()).is_some(),
                "ssl-key" => all.ssl_key.replace(value.into()).is_some(),
                "get-server-public-key" if ["", "true", "1"].contains(&&*value) => {
                    std::mem::replace(&mut all.get_server_public_key, true)
                }
                _ => {
                    return Err(Error::usage(format!("{flag}: the URL has an unknown parameter"))
                        .help(
                            "there are ssl-mode, ssl-ca, ssl-cert, ssl-key and \
                             get-server-public-key",
                        ));
                }
            };
            if twice {
                return Err(Error::usage(format!("{name} is given twice"))
                    .help(format!("give --{name} or the parameter of {flag}'s URL, once")));
            }
        }
        Ok(all)
    }

    fn encryption(&self) -> Result<Encryption> {
        use ModeArg::{Disabled, Preferred, Required, VerifyCa, VerifyIdentity};
        let mode = self.ssl_mode.unwrap_or(match self.ssl_ca {
            Some(_) => VerifyCa,
            None => Preferred,
        });
        Ok(match (mode, self.ssl_ca.clone()) {
            (VerifyCa, Some(ca)) => Encryption::VerifyCa(ca),
            (VerifyIdentity, Some(ca)) => Encryption::VerifyIdentity(ca),
            (VerifyCa | VerifyIdentity, None) => {
                return Err(Error::usage("this --ssl-mode needs --ssl-ca")
                    .help("name the file of the certificates of those who sign the server's"));
            }
            (Disabled | Preferred | Required, Some(_)) => {
                return Err(Error::usage("this --ssl-mode does not look at --ssl-ca")
                    .help("take --ssl-mode verify-ca or verify-identity"));
            }
            (Disabled, None) => Encryption::Disabled,
            (Preferred, None) => Encryption::Preferred,
            (Required, None) => Encryption::Required,
        })
    }

    fn identity(&self, encryption: &Encryption) -> Result<Option<Identity>> {
        match (self.ssl_cert.clone(), self.ssl_key.clone()) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) if *encryption == Encryption::Disabled => {
                Err(Error::usage("--ssl-mode disabled shows no certificate")
                    .help("leave --ssl-cert out, or take another mode"))
            }
            (Some(certificate), Some(key)) => Ok(Some(Identity { certificate, key })),
            _ => Err(Error::usage("--ssl-cert and --ssl-key belong together")
                .help("give the client's certificate and its key")),
        }
    }
}

fn mode(flag: &str, value: &str) -> Result<ModeArg> {
    ModeArg::from_str(value, true).map_err(|_| {
        Error::usage(format!("{flag}: the URL's ssl-mode is none"))
            .help("there are disabled, preferred, required, verify-ca and verify-identity")
    })
}

/// True for a URL that names a server.
pub(super) fn is_server(url: &str) -> bool {
    matches!(url.split_once(':'), Some(("mysql" | "mariadb", _)))
}

/// The server that a flag's URL names. The URL is never shown.
///
/// # Errors
/// When the URL or the flags cannot be meant (usage), or a file cannot be read.
pub(super) fn server(
    flag: &str,
    url: &str,
    password_file: Option<&Path>,
    tls: &TlsArgs,
) -> Result<Server> {
    let read = read(flag, url)?;
    let password = read.password.clone();
    let (user, password) = secret::login(flag, read.user.clone(), password, password_file)?;
    let tls = tls.with(flag, &read.url)?;
    read.server(user, password, tls)
}

/// A server's URL, taken apart.
struct Read {
    url: Url,
    address: (String, u16),
    user: Option<String>,
    password: Option<String>,
}

impl Read {
    fn server(self, user: String, password: Option<String>, tls: TlsArgs) -> Result<Server> {
        let encryption = tls.encryption()?;
        let identity = tls.identity(&encryption)?;
        let login = Login { user, password, asks_key: tls.get_server_public_key };
        Server::new(self.address, login, &encryption, identity.as_ref())
    }
}

fn read(flag: &str, url: &str) -> Result<Read> {
    if !is_server(url) {
        return Err(Error::usage(format!("{flag} is no server's URL")).help(WRITTEN));
    }
    secret::readable(flag, url)?;
    let cannot =
        |why: &str| Error::usage(format!("{flag}: the URL cannot be read: {why}")).help(WRITTEN);
    let url = Url::parse(url).map_err(|e| cannot(&e.to_string()))?;
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| cannot("it names no host"))?;
    let host = decoded(flag, host.trim_start_matches('[').trim_end_matches(']'))?;
    let user = Some(decoded(flag, url.username())?).filter(|user| !user.is_empty());
    let password = url.password().map(|password| decoded(flag, password)).transpose()?;
    let address = (host, url.port().unwrap_or(3306));
    Ok(Read { url, address, user, password })
}

/// What a server's URL in a file names; nothing is opened.
///
/// # Errors
/// When it cannot be meant (usage).
pub(super) fn named(key: &str, url: &str) -> Result<config::Place> {
    secret::readable(key, url)
        .map_err(|e| e.help("write # as %23, / as %2F, ? as %3F and @ as %40 in a user's name"))?;
    let Read { url, address: (host, port), password, .. } = read(key, url)?;
    TlsArgs::default().with(key, &url)?;
    let identity = format!("{}:{port}", host.to_lowercase());
    Ok(config::Place { identity, holds_password: password.is_some() })
}

/// The server that a file's URL names, its password from the environment.
///
/// # Errors
/// When a file that it names cannot be read.
pub(super) fn of_file(address: &Address) -> Result<Server> {
    let read = read(&address.key, &address.url)?;
    let password = secret::variable(&address.variable)?;
    let (user, password) = secret::login(&address.key, read.user.clone(), password, None)?;
    let tls = TlsArgs::default().with(&address.key, &read.url)?;
    read.server(user, password, tls)
}

fn decoded(flag: &str, text: &str) -> Result<String> {
    let read = percent_decode_str(text).decode_utf8();
    read.map(std::borrow::Cow::into_owned)
        .map_err(|_| Error::usage(format!("{flag}: the URL's %XX are no UTF-8")).help(WRITTEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, tls: &TlsArgs) -> String {
        let error = server("--target", url, None, tls).err().expect("refused");
        assert_eq!(error.kind(), crate::error::ErrorKind::Usage, "{error}");
        error.to_string()
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let none = TlsArgs::default();
        for (url, word) in [
            ("postgres://u@h", "no server"),
            ("mysql:h", "no host"),
            ("mysql://u:hunter2@h:x", "port"),
            ("mysql://u:hunter2@h:1/?enable_cleartext_plugin=true", "unknown"),
            ("mysql://u:hunter2@h:1/?secure_auth=false", "unknown"),
            ("mysql://u:hunter2@h:1/?ssl-mode=most", "verify-identity"),
            ("mysql://u:hunter2@h:1/?ssl-mode=verify-ca", "--ssl-ca"),
            ("mysql://u:hunter2@h:1/?ssl-mode=required&ssl-ca=/none", "verify-ca"),
            ("mysql://u:hunter2@h:1/?ssl-cert=/none", "--ssl-key"),
            ("mysql://u:hunter2@h:1/?ssl-mode=disabled&ssl-cert=/a&ssl-key=/b", "certificate"),
            ("mysql://u:hunter2@h:1/?ssl-ca=/none", "/none"),
            ("mysql://u:hunter2@h:1/?ssl-mode=required&ssl-mode=required", "twice"),
        ] {
            let said = refused(url, &none);
            assert!(said.contains(word) && !said.contains("hunter"), "{url}: {said}");
        }
        let tls = TlsArgs { ssl_mode: Some(ModeArg::Required), ..none };
        assert!(refused("mysql://h?ssl_mode=REQUIRED", &tls).contains("twice"));
    }

    #[test]
    fn modes_are_those_of_the_stock_clients() {
        let encryption = |query: &str| {
            let url = Url::parse(&format!("mysql://h/?{query}")).unwrap();
            TlsArgs::default().with("--target", &url).unwrap().encryption().unwrap()
        };
        assert_eq!(encryption(""), Encryption::Preferred);
        assert_eq!(encryption("ssl-mode=DISABLED"), Encryption::Disabled);
        assert_eq!(encryption("ssl_mode=required"), Encryption::Required);
        assert_eq!(encryption("ssl-ca=/a%20b"), Encryption::VerifyCa("/a b".into()));
        let identity = encryption("ssl-mode=VERIFY_IDENTITY&ssl-ca=c+d");
        assert_eq!(identity, Encryption::VerifyIdentity("c+d".into()));
    }
}
