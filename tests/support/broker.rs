//! A private RabbitMQ, of the stable Debian or of the unstable one.

use super::{
    certificates::Certificates,
    cli::{finish, harden},
    servers::{ADVICE, cached, free_port},
    watchdog::Watched,
};
use lapin::{Connection, ConnectionProperties};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};
use tokio::runtime::Builder;

/// Whose RabbitMQ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Release {
    /// The system's own.
    Stable,
    /// What `tests/install-servers --unstable-broker` has unpacked.
    Unstable,
}

pub struct Broker {
    pub url: String,
    /// The address for TLS, and who has signed the certificate for 127.0.0.1.
    pub tls: Option<(String, Certificates)>,
    /// Ports of its management, where that is one of its plugins: HTTP and HTTPS.
    pub management: Option<[u16; 2]>,
    dir: PathBuf,
    /// What its own programs have to be told.
    settings: Vec<(&'static str, String)>,
    release: Release,
    /// The server and its name server.
    processes: Option<(Watched, Watched)>,
}

impl Broker {
    /// One that was there before the tests.
    pub fn existing(url: String) -> Broker {
        Broker {
            url,
            tls: None,
            management: None,
            dir: PathBuf::new(),
            settings: Vec::new(),
            release: Release::Stable,
            processes: None,
        }
    }

    /// Returns when it takes connections; it ends with the value or with this process.
    pub fn start(release: Release, plugins: &[&str]) -> Broker {
        let dir = tempfile::Builder::new().prefix("binsync-rabbit-").tempdir().unwrap().keep();
        let (port, tls_port, name_port) = (free_port(), free_port(), free_port());
        // A node name of its own needs a name server of its own, else a daemon would outlive the tests.
        let name_server_dir = dir.join("epmd");
        fs::create_dir(&name_server_dir).unwrap();
        let mut names = Command::new("epmd");
        names.args(["-port", &name_port.to_string(), "-address", "127.0.0.1"]);
        let names = Watched::start(&name_server_dir, &names);
        let mut server = program(release, "rabbitmq-server");
        for (name, value) in [("RABBITMQ_MNESIA_BASE", "mnesia"), ("RABBITMQ_LOG_BASE", "log")] {
            fs::create_dir_all(dir.join(value)).unwrap();
            server.env(name, dir.join(value));
        }
        let certificates = Certificates::new();
        let management =
            plugins.contains(&"rabbitmq_management").then(|| [free_port(), free_port()]);
        configure(&dir, tls_port, management, &certificates);
        fs::write(dir.join("plugins"), format!("[{}].\n", plugins.join(","))).unwrap();
        let settings = vec![
            ("RABBITMQ_NODENAME", format!("binsync{port}@localhost")),
            ("ERL_EPMD_PORT", name_port.to_string()),
            ("HOME", dir.to_str().expect("a path of our own").to_owned()),
        ];
        server
            .envs(settings.clone())
            .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf"))
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", free_port().to_string())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", dir.join("none"));
        let processes = Some((Watched::start(&dir, &server), names));
        let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
        let tls = Some((format!("amqps://guest:guest@127.0.0.1:{tls_port}/%2f"), certificates));
        let broker = Broker { url, tls, management, dir, settings, release, processes };
        broker.await_ready();
        broker
    }

    /// The port without TLS.
    pub fn port(&self) -> u16 {
        let (_, behind) = self.url.rsplit_once(':').expect("an address of our own");
        behind.split('/').next().unwrap().parse().unwrap()
    }

    /// kill -9 of the server, and after `down` a start on the same data and port; returns when it takes connections.
    pub fn crash(&mut self, down: Duration) {
        let (server, _) = self.processes.as_mut().expect("a broker of our own");
        server.kill();
        sleep(down);
        server.start_again();
        self.await_ready();
    }

    /// Has those quorum queues elect a leader that have none. After a kill of its only node a queue can stay a follower
    /// for ever (rabbitmq-server issue 10070); an administrator does this then.
    pub fn elect(&self, queues: &[String]) {
        let names: Vec<String> = queues.iter().map(|queue| format!("'%2F_{queue}'")).collect();
        let elect = format!(
            "[case ets:lookup(ra_state, Q) of \
               [State] when element(2, State) =:= leader -> led; \
               _ -> ra:trigger_election({{Q, node()}}) end || Q <- [{}]].",
            names.join(",")
        );
        let mut control = program(self.release, "rabbitmqctl");
        harden(&mut control);
        control.envs(self.settings.clone()).args(["eval", &elect]);
        finish(control, None).code(0);
    }

    fn await_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(90);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connect =
            || runtime.block_on(Connection::connect(&self.url, ConnectionProperties::default()));
        while connect().is_err() {
            let log = || fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "RabbitMQ did not start within 90 s:\n{}", log());
            sleep(Duration::from_millis(200));
        }
    }
}

fn configure(dir: &Path, tls_port: u16, management: Option<[u16; 2]>, certificates: &Certificates) {
    let mut config = vec![
        format!("listeners.ssl.1=127.0.0.1:{tls_port}"),
        // A client may show a certificate, and then need not say a password.
        "ssl_options.verify=verify_peer\nssl_options.fail_if_no_peer_cert=false".to_owned(),
    ];
    if let Some([http, https]) = management {
        config.push(format!("management.tcp.port={http}\nmanagement.ssl.port={https}"));
        config.push(
            "auth_mechanisms.1=PLAIN\nauth_mechanisms.2=EXTERNAL\nssl_cert_login_from=common_name"
                .to_owned(),
        );
    }
    let sections = ["ssl_options", "management.ssl"];
    for section in &sections[..if management.is_some() { 2 } else { 1 }] {
        for (name, file) in
            [("cacertfile", "ca.pem"), ("certfile", "server.pem"), ("keyfile", "server.key")]
        {
            config.push(format!("{section}.{name}={}", certificates.file(file)));
        }
    }
    fs::write(dir.join("rabbitmq.conf"), config.join("\n") + "\n").unwrap();
}

/// One of the broker's own scripts: Debian's in /usr/sbin insist on changing the user.
fn program(release: Release, name: &str) -> Command {
    let root = match release {
        Release::Stable => PathBuf::from("/"),
        Release::Unstable => cached("rabbitmq/root"),
    };
    let advice = match release {
        Release::Stable => ADVICE,
        Release::Unstable => "run tests/install-servers --unstable-broker",
    };
    let folders = fs::read_dir(root.join("usr/lib/rabbitmq/lib")).expect(advice);
    let scripts = folders.map(|folder| folder.unwrap().path().join("sbin").join(name));
    let mut program =
        Command::new(scripts.into_iter().find(|script| script.exists()).expect(advice));
    if release == Release::Unstable {
        let own = root.join("usr/lib/erlang/bin");
        let path = std::env::var("PATH").expect("a PATH");
        program.env("PATH", format!("{}:{path}", own.display()));
    }
    program
}
