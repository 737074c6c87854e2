//! RabbitMQ's management: what a broker tells of its queues over HTTP.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::crypto::ring;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::error::{Error, ErrorKind, Result};
use crate::event::printable;

/// An answer is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer is longer.
const ANSWER: u64 = 16 << 20;

/// Where a broker's management is, and who asks.
pub struct Address {
    /// `http` or `https`, host and port: `http://mq.example:15672`.
    pub base: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
    /// The virtual host that is asked about.
    pub vhost: String,
}

/// A broker's management.
pub struct Management {
    address: Address,
    agent: Agent,
}

impl Management {
    /// Nothing is asked yet. A certificate is held against those that this machine trusts, or against
    /// those of `SSL_CERT_FILE`, as on the way to the broker itself.
    pub fn at(address: Address) -> Self {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots = found.iter().map(|der| Certificate::from_der(der).to_owned());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::from(roots))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            // The password is not told to whoever the environment, or an answer, names.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { address, agent: config.new_agent() }
    }

    /// The virtual host that is asked about.
    pub fn vhost(&self) -> &str {
        &self.address.vhost
    }

    /// The broker's version.
    ///
    /// # Errors
    /// When the broker cannot be asked, or refuses; so for all questions.
    pub fn version(&self) -> Result<String> {
        let overview = self.ask("overview")?.unwrap_or_default();
        Ok(overview["rabbitmq_version"].as_str().unwrap_or_default().to_owned())
    }

    /// A queue; `None` where there is none of that name.
    ///
    /// # Errors
    /// As [`Management::version`].
    pub fn queue(&self, name: &str) -> Result<Option<Value>> {
        self.ask(&self.path("queues", name))
    }

    /// The exchanges that a queue is bound to, each once.
    ///
    /// # Errors
    /// As [`Management::version`].
    pub fn bound_to(&self, queue: &str) -> Result<Vec<String>> {
        let bindings = self.ask(&(self.path("queues", queue) + "/bindings"))?.unwrap_or_default();
        let all = bindings.as_array().into_iter().flatten().filter_map(|b| b["source"].as_str());
        // Every queue is bound to the exchange without a name.
        let mut names: Vec<String> =
            all.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// An exchange; `None` where there is none of that name.
    ///
    /// # Errors
    /// As [`Management::version`].
    pub fn exchange(&self, name: &str) -> Result<Option<Value>> {
        self.ask(&self.path("exchanges", name))
    }

    fn path(&self, kind: &str, name: &str) -> String {
        let part = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        format!("{kind}/{}/{}", part(&self.address.vhost), part(name))
    }

    fn ask(&self, path: &str) -> Result<Option<Value>> {
        let Address { base, user, password, .. } = &self.address;
        let login = STANDARD.encode(format!("{user}:{password}"));
        let asked = self
            .agent
            .get(format!("{base}/api/{path}"))
            .header("Authorization", format!("Basic {login}"))
            .call();
        let silent = |error: ureq::Error| {
            let why = printable(&error.to_string()).into_owned();
            Error::new(ErrorKind::Lost, format!("{base}: no answer: {why}")).help(
                "check host and port (15672, or 15671 for https) and that the plugin is on: \
                 rabbitmq-plugins enable rabbitmq_management",
            )
        };
        let mut answer = asked.map_err(silent)?;
        let strange = |what: String| {
            Error::failed(format!("{base}: {what}"))
                .help("check that this is RabbitMQ's management")
        };
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            401 | 403 => {
                let user = printable(user);
                let refused = format!("{base} refuses user {user} (HTTP {})", answer.status());
                return Err(Error::failed(refused).help(
                    "check user and password; the user needs the tag monitoring: rabbitmqctl \
                     set_user_tags",
                ));
            }
            other => return Err(strange(format!("HTTP {other}"))),
        }
        let bytes = answer.body_mut().with_config().limit(ANSWER).read_to_vec().map_err(silent)?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| strange("the answer is no JSON".into()))
    }
}
