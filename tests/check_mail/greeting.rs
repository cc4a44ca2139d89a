//! The first word of a server, and what it may be in its place.

use std::sync::Arc;
use std::time::Duration;

use poller::check::HttpOptions;
use poller::outcome::{Cause, Detail, Verdict};
use poller::target::MailProtocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::probes::{Speaker, fact, look, look_with, target};
use crate::site::{Site, fault, reset};
use crate::{ALL, plan, speaking};

/// Cause and detail of a check of a server that greets so and says no more.
async fn failed(protocol: MailProtocol, greeting: &'static str) -> (Cause, Detail) {
    let server = Speaker::plain(greeting, &[]).await;
    fault(&look(&server.url("smtp"), plan(speaking(protocol))).await.0)
}

#[tokio::test]
async fn a_good_server_of_each_protocol_is_up_and_its_words_are_told() {
    for (protocol, scheme, greeting, rules) in ALL {
        let server = Speaker::plain(greeting, &[rules]).await;
        let (finding, facts) = look(&server.url(scheme), plan(speaking(protocol))).await;
        assert_eq!(finding.verdict, Verdict::Up, "{finding:?} {facts:?}");
        assert_eq!(fact(&facts, "protocol"), scheme);
        assert_eq!(fact(&facts, "host"), "127.0.0.1");
        assert_eq!(fact(&facts, "port"), server.site.address.port());
        assert_eq!(fact(&facts, "remote_address"), server.site.address.to_string());
        assert_eq!(fact(&facts, "greeting"), greeting.trim_end());
        assert_eq!(fact(&facts, "supports_tls"), true);
        assert!(fact(&facts, "capabilities").as_array().is_some_and(|list| !list.is_empty()));
        assert!(fact(&facts, "authenticated").is_null());
        assert!(fact(&facts, "tls").is_null());
        assert_eq!(fact(&facts, "quit"), true);
        assert!(facts.message.contains("in clear"), "{}", facts.message);
        let phases = finding.phases;
        assert!(phases.first_byte.get().is_some() && phases.transfer.get().is_some());
    }
}

#[tokio::test]
async fn a_greeting_is_waited_for_and_so_is_every_byte_of_it() {
    for (protocol, scheme, greeting, _) in ALL {
        let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (here, there) = (Arc::clone(&came), Arc::clone(&go));
        let site = Site::serve(move |mut stream, _| {
            let (came, go) = (Arc::clone(&here), Arc::clone(&there));
            async move {
                stream.set_nodelay(true).expect("a socket takes it");
                came.notify_one();
                go.notified().await;
                for byte in greeting.bytes() {
                    let _ = stream.write_all(&[byte]).await;
                    tokio::task::yield_now().await;
                }
                // It then hangs up on whatever it is asked.
                let _ = stream.read_u8().await;
            }
        })
        .await;
        let url = format!("{scheme}://{}", site.address);
        let mut checks = JoinSet::new();
        checks.spawn(async move { look(&url, plan(speaking(protocol))).await });
        came.notified().await;
        assert!(checks.try_join_next().is_none(), "it waits");
        go.notify_one();
        let (finding, facts) = checks.join_next().await.expect("a check").expect("no panic");
        assert_eq!(fact(&facts, "greeting"), greeting.trim_end());
        assert!(
            [(Cause::Protocol, Detail::NoAnswer), (Cause::Reset, Detail::None)]
                .contains(&fault(&finding)),
            "{finding:?}"
        );
    }
}

#[tokio::test]
async fn a_greeting_after_20_of_30_seconds_is_in_time() {
    let mut checks = JoinSet::new();
    for (protocol, scheme, greeting, _) in ALL {
        checks.spawn(async move {
            let site = Site::serve(move |mut stream, _| async move {
                tokio::time::sleep(Duration::from_secs(20)).await;
                let _ = stream.write_all(greeting.as_bytes()).await;
                let mut line = [0; 512];
                while let Ok(1..) = stream.read(&mut line).await {
                    let says: &[u8] = match line.first() {
                        Some(b'E') => b"250 mail.test\r\n",
                        Some(b'a') => b"* CAPABILITY IMAP4rev1\r\na1 OK done\r\n",
                        Some(b'C') => b"-ERR what?\r\n",
                        _ => return,
                    };
                    let _ = stream.write_all(says).await;
                }
            })
            .await;
            let url = format!("{scheme}://{}", site.address);
            let mut target = target(&url, plan(speaking(protocol)));
            target.timeout_ms = 30_000;
            look_with(HttpOptions::default(), target).await
        });
    }
    while let Some(ended) = checks.join_next().await {
        let (finding, facts) = ended.expect("no panic");
        assert_eq!(finding.verdict, Verdict::Up, "{finding:?} {facts:?}");
        assert!(finding.phases.first_byte.get().is_some_and(|us| us >= 19_000_000), "{finding:?}");
    }
}

#[tokio::test]
async fn who_says_nothing_in_time_or_only_drips_is_late() {
    for drips in [false, true] {
        let site = Site::serve(move |mut stream, _| async move {
            while drips && stream.write_all(b"2").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            std::future::pending::<()>().await;
        })
        .await;
        for (protocol, scheme, ..) in ALL {
            let url = format!("{scheme}://{}", site.address);
            let mut target = target(&url, plan(speaking(protocol)));
            target.timeout_ms = 300;
            let (finding, _) = look_with(HttpOptions::default(), target).await;
            assert_eq!(fault(&finding), (Cause::Timeout, Detail::Waiting));
        }
    }
}

#[tokio::test]
async fn who_refuses_resets_or_hangs_up_is_told_apart() {
    let address = crate::probes::refusing();
    let resetting = Site::serve(|stream, _| async move { reset(&stream) }).await;
    let silent = Site::serve(|stream, _| async move { crate::site::hang_up(stream).await }).await;
    for (protocol, scheme, ..) in ALL {
        for (address, expected) in [
            (address, (Cause::Connect, Detail::Refused)),
            (resetting.address, (Cause::Reset, Detail::None)),
            (silent.address, (Cause::Protocol, Detail::NoAnswer)),
        ] {
            let (finding, facts) =
                look(&format!("{scheme}://{address}"), plan(speaking(protocol))).await;
            assert_eq!(fault(&finding), expected, "{scheme} {facts:?}");
            assert!(fact(&facts, "greeting").is_null());
        }
    }
}

#[tokio::test]
async fn nonsense_is_no_greeting() {
    let bad = (Cause::Protocol, Detail::BadGreeting);
    for (protocol, ..) in ALL {
        for greeting in ["\r\n", "HTTP/1.1 400 Bad Request\r\n", "SSH-2.0-x\r\n", "22\r\n", "\0\n"]
        {
            assert_eq!(failed(protocol, greeting).await, bad, "{greeting:?}");
        }
    }
    for greeting in ["220ready\r\n", "220-a\r\n221 b\r\n", "250 ready\r\n", "354 go on\r\n"] {
        assert_eq!(failed(MailProtocol::Smtp, greeting).await, bad, "{greeting:?}");
    }
    for greeting in ["* NO ready\r\n", "a OK ready\r\n", "* OKready\r\n"] {
        assert_eq!(failed(MailProtocol::Imap, greeting).await, bad, "{greeting:?}");
    }
    for greeting in ["OK ready\r\n", "+OKready\r\n"] {
        assert_eq!(failed(MailProtocol::Pop3, greeting).await, bad, "{greeting:?}");
    }
}

#[tokio::test]
async fn a_greeting_without_an_end_is_read_on_and_malformed() {
    for (protocol, scheme, greeting, _) in ALL {
        let site = Site::serve(move |mut stream, _| async move {
            let mut line = greeting.trim_end().as_bytes().to_vec();
            line.resize(1 << 20, b'x');
            line.extend(b"\r\n");
            let _ = stream.write_all(&line).await;
            crate::site::hang_up(stream).await;
        })
        .await;
        let url = format!("{scheme}://{}", site.address);
        let (finding, facts) = look(&url, plan(speaking(protocol))).await;
        assert_eq!(fault(&finding), (Cause::Protocol, Detail::BadGreeting));
        assert_eq!(finding.bytes, (1 << 20) + 2);
        let shown = fact(&facts, "greeting").as_str().map(str::len);
        assert_eq!(shown, Some(512));
        assert!(facts.message.len() < 1_000, "{}", facts.message);
    }
}

#[tokio::test]
async fn a_greeting_of_many_lines_has_a_cap() {
    let site = Site::serve(|mut stream, _| async move {
        while stream.write_all(b"220-and so on\r\n").await.is_ok() {}
    })
    .await;
    let url = format!("smtp://{}", site.address);
    let (finding, _) = look(&url, plan(speaking(MailProtocol::Smtp))).await;
    assert_eq!(fault(&finding), (Cause::Protocol, Detail::BadGreeting));
}

#[tokio::test]
async fn words_of_a_server_are_told_without_what_moves_a_cursor() {
    let server = Speaker::plain("220 a\x1b[2J\x07b\r\n", &[crate::SMTP]).await;
    let (_, facts) = look(&server.url("smtp"), plan(speaking(MailProtocol::Smtp))).await;
    assert_eq!(fact(&facts, "greeting"), "220 a\u{fffd}[2J\u{fffd}b");
}

#[tokio::test]
async fn who_does_not_serve_us_is_told_with_why_and_whether_for_good() {
    let for_now = (Cause::Status, Detail::Unavailable);
    let for_good = (Cause::Status, Detail::Rejected);
    for (protocol, greeting, status, expected) in [
        (MailProtocol::Smtp, "421 too busy\r\n", 421, for_now),
        (MailProtocol::Smtp, "450 later\r\n", 450, for_now),
        (MailProtocol::Smtp, "554-no\r\n554 not you\r\n", 554, for_good),
        (MailProtocol::Imap, "* BYE too busy\r\n", 0, for_now),
        (MailProtocol::Pop3, "-ERR too busy\r\n", 0, for_now),
        (MailProtocol::Pop3, "-ERR [SYS/PERM] not you\r\n", 0, for_good),
    ] {
        let server = Speaker::plain(greeting, &[]).await;
        let (finding, facts) = look(&server.url("smtp"), plan(speaking(protocol))).await;
        assert_eq!((fault(&finding), finding.status), (expected, status), "{greeting}");
        assert_eq!(finding.is_permanent(), expected == for_good, "{greeting}");
        assert!(facts.message.contains("does not serve us"), "{}", facts.message);
        assert!(fact(&facts, "greeting").is_string());
    }
}
