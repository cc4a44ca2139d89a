//! Tokens that were forged, cut or are of another kind.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{HMAC_SHA256, Key, sign};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::asked::ask;
use crate::{bearer, listening, token};

const STATS: &str = "GET /api/v1/stats";
const SECRET: &str = "a secret of thirty-two bytes, yes";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn jwt(secret: &str, head: &str, body: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(body));
    let tag = sign(&Key::new(HMAC_SHA256, secret.as_bytes()), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn claims(seconds: u64, role: &str) -> String {
    format!(r#"{{"exp":{},"role":"{role}","sub":"other service"}}"#, now() + seconds)
}

const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

#[test]
fn a_token_of_another_service_counts_for_the_role_that_it_was_signed_for() {
    let (_daemon, address) = listening(&["--jwt-secret", SECRET]);
    for (role, reload) in [("read", 403), ("run", 403), ("admin", 200)] {
        let bearer = bearer(&jwt(SECRET, HEAD, &claims(600, role)));
        let by = [("Authorization", bearer.as_str())];
        let me = ask(address, "GET /api/v1/me", &by).json();
        assert_eq!((&me["role"], &me["via"]), (&role.into(), &"jwt".into()));
        assert_eq!(me["name"], "other service");
        assert_eq!(ask(address, "POST /-/reload", &by).status, reload, "{role}");
    }
}

#[test]
fn a_bad_token_is_refused_and_never_taken_for_none() {
    // Far more failures than one visitor has are tried here, so each comes from an address of
    // its own.
    let (daemon, address) = listening(&["--jwt-secret", SECRET]);
    let good = token(&daemon, "admin", &[]);
    let other = token(&daemon, "read", &[]);
    let (head, secret) = good.rsplit_once('_').unwrap();
    let signed = jwt(SECRET, HEAD, &claims(600, "admin"));
    let (body, _) = signed.rsplit_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let bad = [
        // Another's secret, a cut one, one of letters that stand for nothing, an id of nobody.
        format!("{head}_{}", other.rsplit_once('_').unwrap().1),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        good.to_uppercase(),
        format!("poller_000000000000_{secret}"),
        secret.to_owned(),
        // Without a signature, of another key, over, cut, for a role that there is not.
        format!("{none}.{}.", URL_SAFE_NO_PAD.encode(claims(600, "admin"))),
        jwt(SECRET, r#"{"alg":"none"}"#, &claims(600, "admin")),
        jwt(SECRET, r#"{"alg":"HS384"}"#, &claims(600, "admin")),
        jwt("another secret of 32 bytes, truly", HEAD, &claims(600, "admin")),
        jwt(SECRET, HEAD, &format!(r#"{{"exp":{},"role":"admin"}}"#, now() - 60)),
        jwt(SECRET, HEAD, r#"{"role":"admin"}"#),
        jwt(SECRET, HEAD, &claims(600, "root")),
        body.to_owned(),
        signed[..signed.len() - 2].to_owned(),
    ];
    for (number, bad) in bad.iter().enumerate() {
        let bearer = bearer(bad);
        let answer = crate::asked::ask_from(number, address, STATS, &[("Authorization", &bearer)]);
        assert!(answer.problem(401).contains("not valid"), "{bad}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        let open = [("X-API-Key", bad.as_str())];
        crate::asked::ask_from(number, address, "GET /healthz", &open).problem(401);
    }
    for headers in [
        &[("Authorization", "Basic YTpi")][..],
        &[("Authorization", "Bearer")],
        &[("Authorization", &bearer(&good)), ("X-API-Key", &good)],
    ] {
        ask(address, STATS, headers).problem(401);
    }
}

#[test]
fn without_a_secret_no_jwt_counts() {
    let (_daemon, address) = listening(&[]);
    let bearer = bearer(&jwt("", HEAD, &claims(600, "admin")));
    ask(address, STATS, &[("Authorization", &bearer)]).problem(401);
}

#[test]
fn whoever_tries_many_bad_tokens_has_to_wait_and_good_ones_go_on_working() {
    let (daemon, address) = listening(&[]);
    let good = token(&daemon, "read", &[]);
    let bad = format!("{}AAAA", &good[..good.len() - 4]);
    let answers: Vec<_> = (0..25).map(|_| ask(address, STATS, &[("X-API-Key", &bad)])).collect();
    assert_eq!(answers[0].status, 401);
    let last = answers.last().unwrap();
    assert!(last.problem(429).contains("bad tokens"), "{last:?}");
    assert!(last.header("retry-after").is_some_and(|after| after.parse::<u32>().unwrap() > 0));
    assert_eq!(ask(address, STATS, &[("X-API-Key", &good)]).status, 200);
    assert_eq!(ask(address, STATS, &[]).status, 200);
}

#[test]
fn an_address_that_asks_too_often_is_told_when_to_ask_again_and_the_socket_is_not() {
    let (daemon, address) = listening(&["--api-rate", "3"]);
    let answers: Vec<_> = (0..12).map(|_| ask(address, "GET /healthz", &[])).collect();
    assert_eq!(answers[0].status, 200);
    let refused = answers.iter().find(|answer| answer.status == 429).expect("too many");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.problem(429).contains("--api-rate"));
    (0..12).for_each(|_| drop(daemon.summary()));
}
