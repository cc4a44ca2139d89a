//! TLS of mail servers, from the first byte and when asked for.

use poller::check::{Facts, HttpOptions};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{MailProbe, MailTls, Plan, TlsPlan, Verify};
use rcgen::date_time_ymd;
use serde_json::Value;
use tempfile::TempDir;

use crate::pki::{
    Authority, Shown, config, intermediate, leaf, root, self_signed, shown, write_pem,
};
use crate::probes::{Manners, Rules, Speaker, fact, look, look_with, target};
use crate::site::fault;
use crate::{ALL, plan, speaking};

/// What a check that trusts `root` finds by `plan`.
async fn judged(root: &Authority, url: &str, plan: Plan) -> (Finding, Facts) {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("ca.pem");
    write_pem(&file, &[root]);
    let options = HttpOptions { ca: Some(file), ..HttpOptions::default() };
    look_with(options, target(url, plan)).await
}

/// What checks of every protocol find of `shown`, by TLS of both kinds.
async fn all(root: &Authority, shown: impl Fn() -> Shown) -> Vec<(Finding, Facts)> {
    let mut found = Vec::new();
    for (protocol, scheme, greeting, rules) in ALL {
        for tls in [MailTls::Implicit, MailTls::Start] {
            let is_implicit = tls == MailTls::Implicit;
            let later: Rules =
                &[("a3 STATUS", "* STATUS INBOX (MESSAGES 3 UNSEEN 2)\r\na3 OK done\r\n")];
            let rules = vec![later, rules];
            let tls_config = Some(config(shown()));
            let manners = Manners { greeting, rules, tls: tls_config, is_implicit };
            let server = Speaker::new(manners).await;
            let probe = MailProbe { tls, ..speaking(protocol) };
            found.push(judged(root, &server.url(scheme), plan(probe)).await);
        }
    }
    found
}

async fn all_fail(root: &Authority, shown: impl Fn() -> Shown, detail: Detail) {
    for (finding, facts) in all(root, shown).await {
        assert_eq!(fault(&finding), (Cause::Tls, detail), "{facts:?}");
        assert!(fact(&facts, "tls")["not_after"].is_string(), "it is told all the same");
        assert!(finding.phases.tls.get().is_some());
    }
}

#[tokio::test]
async fn a_trusted_certificate_is_up_and_told() {
    let root = root("root");
    let mut params = leaf("leaf");
    params.not_after = date_time_ymd(2100, 1, 1);
    for (finding, facts) in all(&root, || shown(&params, &root, &[])).await {
        assert_eq!(finding.verdict, Verdict::Up, "{finding:?} {facts:?}");
        assert_eq!(finding.certificate_until, params.not_after.unix_timestamp());
        let tls = fact(&facts, "tls");
        assert_eq!(tls["protocol"], "TLSv1.3");
        assert_eq!(tls["not_after"], "2100-01-01T00:00:00.000Z");
        assert!(tls["cipher"].as_str().is_some_and(|name| name.starts_with("TLS_")), "{tls}");
        assert!(tls["days_until_expiration"].as_i64().is_some_and(|days| days > 20_000));
        assert_eq!(fact(&facts, "supports_tls"), true);
        assert!(matches!(
            fact(&facts, "plaintext_after_starttls"),
            Value::Null | Value::Bool(false)
        ));
        assert!(facts.message.contains("over TLSv1.3"), "{}", facts.message);
    }
}

#[tokio::test]
async fn the_dates_of_a_certificate_are_judged() {
    let root = root("root");
    let mut params = leaf("leaf");
    params.not_after = date_time_ymd(2020, 1, 1);
    all_fail(&root, || shown(&params, &root, &[]), Detail::Expired).await;
    let mut params = leaf("leaf");
    params.not_before = date_time_ymd(3000, 1, 1);
    all_fail(&root, || shown(&params, &root, &[]), Detail::NotYetValid).await;
}

#[tokio::test]
async fn the_name_and_the_issuer_of_a_certificate_are_judged() {
    let (root, other) = (root("root"), crate::pki::root("other"));
    let middle = intermediate("middle", &root);
    let foreign = rcgen::CertificateParams::new(vec!["b.example".to_owned()]).expect("a name");
    all_fail(&root, || shown(&foreign, &root, &[]), Detail::WrongName).await;
    all_fail(&root, || self_signed(&leaf("me")), Detail::SelfSigned).await;
    all_fail(&root, || shown(&leaf("leaf"), &other, &[&other]), Detail::UnknownIssuer).await;
    all_fail(&root, || shown(&leaf("leaf"), &middle, &[]), Detail::MissingIntermediate).await;
}

#[tokio::test]
async fn a_certificate_that_runs_out_soon_is_a_warning() {
    let root = root("root");
    let mut params = leaf("leaf");
    params.not_after = std::time::SystemTime::now().into();
    params.not_after += std::time::Duration::from_hours(13 * 24 + 1);
    for (finding, facts) in all(&root, || shown(&params, &root, &[])).await {
        assert_eq!(fault(&finding), (Cause::Assertion, Detail::CertificateDays), "{facts:?}");
        assert_eq!(finding.verdict, Verdict::Warning);
        assert_eq!(fact(&facts, "tls")["days_until_expiration"], 13);
        assert!(facts.message.contains("runs out in 13 days"), "{}", facts.message);
        assert_eq!(fact(&facts, "quit"), true);
    }
}

#[tokio::test]
async fn who_offers_no_tls_is_told_so_and_no_password_is_sent() {
    for (index, (protocol, scheme, greeting, rules)) in ALL.into_iter().enumerate() {
        let without: [Rules; 3] = [
            &[("EHLO", "250-mail.test\r\n250 AUTH PLAIN\r\n")],
            &[("a1 CAPABILITY", "* CAPABILITY IMAP4rev1\r\na1 OK done\r\n")],
            &[("CAPA", "+OK\r\nUSER\r\n.\r\n")],
        ];
        let refusing: [Rules; 3] = [
            &[("STARTTLS", "502 no\r\n")],
            &[("a2 STARTTLS", "a2 BAD no\r\n")],
            &[("CAPA", "-ERR\r\n"), ("STLS", "-ERR no\r\n")],
        ];
        for first in [without[index], refusing[index]] {
            let server = Speaker::plain(greeting, &[first, rules]).await;
            let probe = crate::logging_in(protocol, "me", "s3cret");
            let probe = MailProbe { tls: MailTls::Start, ..probe };
            let (finding, facts) = look(&server.url(scheme), plan(probe)).await;
            assert_eq!(fault(&finding), (Cause::Tls, Detail::NoStartTls), "{facts:?}");
            assert!(facts.message.starts_with("TLS cannot begin"), "{}", facts.message);
            assert!(!format!("{:?}", server.heard()).contains("s3cret"));
        }
    }
}

#[tokio::test]
async fn what_came_before_tls_is_not_read_as_what_comes_inside_of_it() {
    let root = root("root");
    let injecting: [Rules; 3] = [
        &[
            ("EHLO", "250-mail.test\r\n250-STARTTLS\r\n250 INSIDE\r\n"),
            ("STARTTLS", "TLS:220 go on\r\n250-mail.test\r\n250 SMUGGLED\r\n"),
        ],
        &[
            ("a2 STARTTLS", "TLS:a2 OK go on\r\n* CAPABILITY SMUGGLED\r\na3 OK done\r\n"),
            ("a3 CAPABILITY", "* CAPABILITY INSIDE\r\na3 OK done\r\n"),
        ],
        &[
            ("CAPA", "+OK\r\nSTLS\r\nINSIDE\r\n.\r\n"),
            ("STLS", "TLS:+OK go on\r\n+OK\r\nSMUGGLED\r\n.\r\n"),
        ],
    ];
    for ((protocol, scheme, greeting, rules), first) in ALL.into_iter().zip(injecting) {
        let tls = Some(config(shown(&leaf("leaf"), &root, &[])));
        let manners = Manners { greeting, rules: vec![first, rules], tls, is_implicit: false };
        let server = Speaker::new(manners).await;
        let probe = MailProbe { tls: MailTls::Start, ..speaking(protocol) };
        let (finding, facts) = judged(&root, &server.url(scheme), plan(probe)).await;
        assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
        assert_eq!(fact(&facts, "plaintext_after_starttls"), true);
        let told = format!("{facts:?}");
        assert!(told.contains("INSIDE") && !told.contains("SMUGGLED"), "{told}");
    }
}

#[tokio::test]
async fn who_speaks_in_clear_where_tls_is_due_does_not_speak_tls() {
    for (protocol, scheme, greeting, rules) in ALL {
        let server = Speaker::plain(greeting, &[rules]).await;
        let probe = MailProbe { tls: MailTls::Implicit, ..speaking(protocol) };
        let (finding, facts) = look(&server.url(scheme), plan(probe)).await;
        assert_eq!(fault(&finding), (Cause::Tls, Detail::NotTls), "{facts:?}");
    }
}

#[tokio::test]
async fn what_is_not_verified_is_only_noted() {
    let (protocol, scheme, greeting, rules) = ALL[0];
    let tls = Some(config(self_signed(&leaf("me"))));
    let manners = Manners { greeting, rules: vec![rules], tls, is_implicit: false };
    let server = Speaker::new(manners).await;
    let probe = MailProbe { tls: MailTls::Start, ..speaking(protocol) };
    let tls = TlsPlan { verify: Verify::Off, ..TlsPlan::default() };
    let (finding, facts) = look(&server.url(scheme), Plan { tls, ..plan(probe) }).await;
    assert_eq!(finding.verdict, Verdict::Up, "{facts:?}");
}
