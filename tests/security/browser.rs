//! Browsers: a session instead of a token, changes that are really wanted, and pages of others.

use std::net::SocketAddr;

use crate::asked::{Answer, ask, send};
use crate::daemon::Daemon;
use crate::{listening, revoke, token};

const FORM: &str = "application/x-www-form-urlencoded";
/// As it comes from somebody who is not of this machine.
const FAR: (&str, &str) = ("X-Forwarded-For", "192.0.2.1");

fn log_in(address: SocketAddr, token: &str) -> Answer {
    send(address, "POST /login", &[FAR], (FORM, &format!("token={token}")))
}

/// A session of a fresh token with this role: the token, the cookie, and what changes need.
fn session(daemon: &Daemon, address: SocketAddr, role: &str) -> (String, String, String) {
    let token = token(daemon, role, &["--name", "page"]);
    let answer = log_in(address, &token);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{answer:?}");
    let cookie =
        answer.header("set-cookie").expect("a cookie").split(';').next().unwrap().to_owned();
    let me = ask(address, "GET /api/v1/me", &[FAR, ("Cookie", &cookie)]).json();
    assert_eq!((&me["role"], &me["via"]), (&role.into(), &"session".into()), "{me}");
    assert_eq!(me["name"], "page");
    let csrf = me["csrf"].as_str().expect("what changes need").to_owned();
    (token, cookie, csrf)
}

#[test]
fn the_page_takes_a_token_and_gives_a_cookie_that_no_script_and_no_other_site_gets() {
    let (daemon, address) = listening(&[]);
    let page = ask(address, "GET /login", &[FAR]);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<form method=\"post\" action=\"/login\">"), "{page:?}");
    assert!(!page.body.contains("<script") && !page.body.contains("style="), "{page:?}");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
    let style = ask(address, "GET /login.css", &[FAR]);
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));

    let token = token(&daemon, "read", &[]);
    let answer = log_in(address, &token);
    let cookie = answer.header("set-cookie").expect("a cookie");
    for word in ["poller_session=", "; Path=/;", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains(token.rsplit('_').next().unwrap()));
    let behind = [FAR, ("X-Forwarded-Proto", "https")];
    let answer = send(address, "POST /login", &behind, (FORM, &format!("token={token}")));
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(
        cookie.starts_with("__Host-poller_session=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
}

#[test]
fn a_token_that_is_not_valid_begins_no_session() {
    let (daemon, address) = listening(&[]);
    let revoked = token(&daemon, "admin", &[]);
    revoke(&daemon, &revoked);
    for bad in [revoked.as_str(), "", "%3Cscript%3E", "a%0d%0aSet-Cookie:%20b=c"] {
        let answer = log_in(address, bad);
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{answer:?}");
        assert!(
            answer.body.contains("not valid") && !answer.body.contains("<script"),
            "{answer:?}"
        );
    }
    (0..24).for_each(|_| drop(log_in(address, "bad")));
    let last = log_in(address, "bad");
    assert_eq!(last.status, 429, "{last:?}");
    assert!(last.header("retry-after").is_some());
}

#[test]
fn a_change_by_session_needs_what_only_our_page_knows() {
    let (daemon, address) = listening(&[]);
    let (_, cookie, csrf) = session(&daemon, address, "admin");
    let by = ("Cookie", cookie.as_str());
    assert_eq!(ask(address, "GET /api/v1/stats", &[FAR, by]).status, 200);
    let reload =
        |more: &[(&str, &str)]| ask(address, "POST /-/reload", &[&[FAR, by], more].concat());
    assert!(reload(&[]).problem(403).contains("X-CSRF-Token"));
    reload(&[("X-CSRF-Token", "")]).problem(403);
    reload(&[("X-CSRF-Token", &csrf[1..])]).problem(403);
    assert_eq!(reload(&[("X-CSRF-Token", &csrf)]).status, 200);
    let (_, other, _) = session(&daemon, address, "admin");
    let mixed = [FAR, ("Cookie", other.as_str()), ("X-CSRF-Token", csrf.as_str())];
    ask(address, "POST /-/reload", &mixed).problem(403);
    let (_, reader, csrf) = session(&daemon, address, "read");
    let low = [FAR, ("Cookie", reader.as_str()), ("X-CSRF-Token", csrf.as_str())];
    assert!(ask(address, "POST /-/reload", &low).problem(403).contains("yours is read"));
}

#[test]
fn a_session_ends_with_its_token_and_when_it_is_told_to() {
    let (daemon, address) = listening(&[]);
    let stats = |cookie: &str| ask(address, "GET /api/v1/stats", &[FAR, ("Cookie", cookie)]);
    let (token, cookie, _) = session(&daemon, address, "read");
    assert_eq!(stats(&cookie).status, 200);
    revoke(&daemon, &token);
    stats(&cookie).problem(401);

    let (_, cookie, _) = session(&daemon, address, "read");
    let page = ask(address, "GET /login", &[FAR, ("Cookie", &cookie)]);
    assert!(page.body.contains("<strong>page</strong>"), "{page:?}");
    let gone = send(address, "POST /logout", &[FAR, ("Cookie", &cookie)], (FORM, ""));
    assert_eq!((gone.status, gone.header("location")), (303, Some("/login")), "{gone:?}");
    assert!(gone.header("set-cookie").expect("a cookie").contains("Max-Age=0"));
    stats(&cookie).problem(401);
    stats("poller_session=made-up").problem(401);
}

#[test]
fn pages_of_others_change_nothing() {
    let (daemon, address) = listening(&[]);
    let (_, cookie, csrf) = session(&daemon, address, "admin");
    let own = format!("http://{address}");
    let reload = |more: (&str, &str)| {
        let by = [FAR, ("Cookie", cookie.as_str()), ("X-CSRF-Token", csrf.as_str()), more];
        ask(address, "POST /-/reload", &by)
    };
    for foreign in [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        assert!(reload(foreign).problem(403).contains("another origin"), "{foreign:?}");
        let form = (FORM, "token=a");
        send(address, "POST /login", &[FAR, foreign], form).problem(403);
        send(address, "POST /logout", &[foreign], form).problem(403);
        ask(address, "POST /-/reload", &[foreign]).problem(403);
    }
    for ours in [("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")] {
        assert_eq!(reload(ours).status, 200, "{ours:?}");
    }
}

#[test]
fn pages_of_named_origins_may_ask_with_a_token_of_their_own() {
    let (daemon, address) = listening(&["--cors-origin", "https://board.example"]);
    let preflight = |origin| {
        let asked = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization"),
        ];
        ask(address, "OPTIONS /-/reload", &asked)
    };
    let answer = preflight("https://board.example");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://board.example"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let answer = preflight("https://evil.example");
    assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");

    let admin = token(&daemon, "admin", &[]);
    let page = [("Origin", "https://board.example"), ("Sec-Fetch-Site", "cross-site")];
    let by = [&page[..], &[("X-API-Key", admin.as_str())]].concat();
    let answer = ask(address, "POST /-/reload", &by);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://board.example"));
    ask(address, "POST /-/reload", &page).problem(403);
}

#[test]
fn without_named_origins_no_page_of_others_is_answered() {
    let (_daemon, address) = listening(&[]);
    let asked = [("Origin", "https://board.example"), ("Access-Control-Request-Method", "GET")];
    let answer = ask(address, "OPTIONS /api/v1/stats", &asked);
    assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
}
