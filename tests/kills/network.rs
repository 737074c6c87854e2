//! Connections that break while an apply runs: it connects again and goes on by itself, though the session of the
//! broken one may still be at work.

use super::{Case, Delays, Interruption, rounds, wanted};
use crate::support::{Kind, Running, fresh, proxy::Proxy};

fn cuts(case: &Case) {
    let mut delays = Delays::up_to(40);
    rounds(&format!("connections cut, {}", case.name), wanted(4), |most| {
        let server = fresh(case.kind);
        let proxy = Proxy::start(server.port);
        let url = server.url().replace(&server.port.to_string(), &proxy.port.to_string());
        let mut strike = |_: &mut Running| {
            proxy.cut();
        };
        let mut interruption = Interruption { strike: &mut strike, may_end: |_| false };
        case.round(&server, &url, &[], most, &mut delays, &mut interruption)
    });
}

#[test]
fn cut_connections_are_made_again_on_mariadb() {
    cuts(&Case::transactions(Kind::MariaDb));
}

#[test]
fn cut_connections_are_made_again_on_mysql() {
    cuts(&Case::transactions(Kind::MySql));
}

#[test]
fn cut_connections_double_no_row_that_has_no_key() {
    cuts(&Case::restarts(true));
}
