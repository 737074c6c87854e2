//! Certificates made for one test, by openssl.

use super::{recordings::temp_dir, servers::ADVICE};
use std::{fs, process::Command};
use tempfile::TempDir;

/// Two authorities, and certificates signed by the first.
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    /// Files `ca.pem` and `other.pem`, and a server's `server.pem` and `server.key` for 127.0.0.1.
    pub fn new() -> Certificates {
        let made = Certificates { dir: temp_dir() };
        for name in ["ca", "other"] {
            let (key, out) = (made.file(&format!("{name}.key")), made.file(&format!("{name}.pem")));
            let subject = format!("/CN=the tests' {name}");
            let args = ["-x509", "-days", "2", "-subj", &subject, "-keyout", &key, "-out", &out];
            openssl(&[&["req"][..], &NEW_KEY, &args].concat());
        }
        made.sign("server", "IP:127.0.0.1", 2);
        made
    }

    pub fn file(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Makes, or makes anew, `name.pem` for those addresses and `name.key`; valid for so many days from now.
    pub fn sign(&self, name: &str, addresses: &str, days: i32) {
        let file = |end: &str| self.file(&format!("{name}.{end}"));
        let (key, request, subject) = (file("key"), file("csr"), format!("/CN={name}"));
        let args = ["-subj", &subject, "-keyout", &key, "-out", &request];
        openssl(&[&["req", "-new"][..], &NEW_KEY, &args].concat());
        let extensions = format!("basicConstraints=CA:FALSE\nsubjectAltName={addresses}\n");
        fs::write(file("ext"), extensions).unwrap();
        let (ca, ca_key, days) = (self.file("ca.pem"), self.file("ca.key"), days.to_string());
        openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            &days,
            "-extfile",
            &file("ext"),
            "-out",
            &file("pem"),
        ]);
    }

    /// Makes `server.pem` anew, one that signs itself, as an authority does.
    pub fn sign_itself(&self, addresses: &str, days: i32) {
        let (key, out, days) = (self.file("server.key"), self.file("server.pem"), days.to_string());
        let addresses = format!("subjectAltName={addresses}");
        let args = ["-x509", "-days", &days, "-subj", "/CN=alone", "-addext", &addresses];
        openssl(&[&["req"][..], &NEW_KEY, &args, &["-keyout", &key, "-out", &out]].concat());
    }

    /// What a server is started with to have the server's certificate.
    pub fn options(&self) -> [String; 3] {
        [("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key")]
            .map(|(option, name)| format!("--ssl-{option}={}", self.file(name)))
    }
}

const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

fn openssl(args: &[&str]) {
    let done = Command::new("openssl").args(args).output().expect(ADVICE);
    assert!(done.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}
