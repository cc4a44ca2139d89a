//! The certificates of real servers, with TLS from the first byte and when it is asked for.

use poller::outcome::Detail;
use poller::target::{SslProbe, StartTls};

use crate::real::{Dovecot, Nginx, Pki, Shows, Smtp};
use crate::{Checker, Found};

fn starting(pki: &Pki, start: StartTls) -> Checker {
    Checker::trusting(&pki.root).probing(SslProbe { start, ..SslProbe::default() })
}

fn is_good(found: &Found) {
    found.is_up();
    assert_eq!(found.text("subject"), "CN=real server");
    assert_eq!(found.text("issuer"), "CN=real intermediate");
    assert_eq!(found.fact("chain").as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_that_nginx_shows_is_told() {
    let pki = Pki::new();
    let Some(nginx) = Nginx::start(&pki) else { return };
    let checker = Checker::trusting(&pki.root);
    for shows in Shows::ALL {
        let found = checker.look(nginx.https_port(shows)).await;
        match shows {
            Shows::Good => found.is_up(),
            Shows::Expired => found.is_down(Detail::Expired),
            Shows::NotYetValid => found.is_down(Detail::NotYetValid),
            Shows::WrongName => found.is_down(Detail::WrongName),
            Shows::SelfSigned => found.is_down(Detail::SelfSigned),
            Shows::NoIntermediate => found.is_down(Detail::MissingIntermediate),
        }
        assert_eq!(found.fact("hostname_matches"), shows != Shows::WrongName, "{shows:?}");
        assert!(found.text("protocol").starts_with("TLSv1."), "{shows:?}");
        assert!(!found.text("not_after").is_empty(), "{shows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dovecot_shows_its_certificate_by_every_way() {
    let pki = Pki::new();
    let Some(dovecot) = Dovecot::start(&pki) else { return };
    for (start, port) in [
        (StartTls::Direct, dovecot.imaps_port()),
        (StartTls::Direct, dovecot.pop3s_port()),
        (StartTls::Imap, dovecot.imap_port()),
        (StartTls::Pop3, dovecot.pop3_port()),
    ] {
        is_good(&starting(&pki, start).look(port).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postfix_shows_its_certificate_by_every_way() {
    let pki = Pki::new();
    let Some(smtp) = Smtp::start(&pki) else { return };
    is_good(&starting(&pki, StartTls::Direct).look(smtp.smtps_port()).await);
    let found = starting(&pki, StartTls::Smtp).look(smtp.port()).await;
    is_good(&found);
    assert_eq!(found.fact("plaintext_after_starttls"), false);
    let found = starting(&pki, StartTls::Imap).look(smtp.port()).await;
    assert_eq!(found.finding.detail, Detail::BadGreeting, "{:#?}", found.facts);
}
