//! Real servers end with the test, however it ends, and what is missing is told.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::real::server::{Server, members};
use crate::real::{Dovecot, Nginx, Nsd, Pki, Smtp, Unbound};

/// Checks that nothing is left of a server once `drop_it` is done.
fn ends(server: (u32, std::path::PathBuf), drop_it: impl FnOnce()) {
    let (group, folder) = server;
    assert!(!members(group).is_empty() && folder.is_dir());
    drop_it();
    assert_eq!(members(group), Vec::<u32>::new());
    assert!(!folder.exists(), "{} is left", folder.display());
}

fn told(server: &Server) -> (u32, std::path::PathBuf) {
    (server.group(), server.folder().to_owned())
}

#[test]
fn nothing_is_left_of_a_server_that_is_dropped() {
    let pki = Pki::new();
    if let Some(dovecot) = Dovecot::start(&pki) {
        ends(told(dovecot.server()), || drop(dovecot));
    }
    if let Some(smtp) = Smtp::start(&pki) {
        ends(told(smtp.server()), || drop(smtp));
    }
    if let Some(nginx) = Nginx::start(&pki) {
        ends(told(nginx.server()), || drop(nginx));
    }
    if let Some(nsd) = Nsd::start() {
        if let Some(unbound) = Unbound::start(&nsd) {
            ends(told(unbound.server()), || drop(unbound));
        }
        ends(told(nsd.server()), || drop(nsd));
    }
}

#[test]
fn nothing_is_left_of_a_server_whose_test_panics() {
    let Some(nginx) = Nginx::start(&Pki::new()) else { return };
    ends(told(nginx.server()), || {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _nginx = nginx;
            std::panic::resume_unwind(Box::new("a test that fails"));
        }));
        assert!(panicked.is_err());
    });
}
