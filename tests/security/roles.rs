//! Roles: what visitors may with a token, and without.

use std::io::{Read, Write};

use crate::asked::{ask, connect, head, rest, send, wait_for};
use crate::daemon::{self, Daemon, program, said, text};
use crate::home::Home;
use crate::{address, bearer, list, listening, revoke, token, tokens};

const STATS: &str = "GET /api/v1/stats";

#[test]
fn over_loopback_everybody_may_look_and_nothing_more() {
    let (_daemon, address) = listening(&[]);
    assert_eq!(ask(address, STATS, &[]).status, 200);
    assert_eq!(ask(address, "GET /healthz", &[]).status, 200);
    let me = ask(address, "GET /api/v1/me", &[]).json();
    assert_eq!((&me["role"], &me["via"]), (&"read".into(), &"loopback".into()));
    for line in ["POST /-/reload", "POST /-/stop", "GET /api/v1/tokens", "DELETE /api/v1/tokens/a"]
    {
        let refused = ask(address, line, &[]);
        assert!(refused.problem(401).contains("poller token create"), "{line}: {refused:?}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    let made =
        send(address, "POST /api/v1/tokens", &[], ("application/json", r#"{"role":"admin"}"#));
    made.problem(401);
}

#[test]
fn a_token_allows_what_its_role_allows_in_either_header() {
    let (daemon, address) = listening(&[]);
    for (role, reload) in [("read", 403), ("run", 403), ("admin", 200)] {
        let token = token(&daemon, role, &["--name", "a <b>name</b>"]);
        let bearer = bearer(&token);
        for header in [("Authorization", bearer.as_str()), ("X-API-Key", token.as_str())] {
            assert_eq!(ask(address, STATS, &[header]).status, 200, "{role}");
            let me = ask(address, "GET /api/v1/me", &[header]).json();
            assert_eq!((&me["role"], &me["via"]), (&role.into(), &"token".into()));
            assert_eq!((&me["name"], &me["csrf"]), (&"a <b>name</b>".into(), &().into()));
            let answer = ask(address, "POST /-/reload", &[header]);
            assert_eq!(answer.status, reload, "{role}: {answer:?}");
            if reload == 403 {
                assert!(answer.problem(403).contains(&format!("yours is {role}")), "{answer:?}");
            }
        }
    }
}

#[test]
fn tokens_are_made_listed_and_revoked_over_http() {
    let (daemon, address) = listening(&[]);
    let admin = bearer(&token(&daemon, "admin", &[]));
    let by = [("Authorization", admin.as_str())];
    let wanted = r#"{"role":"run","name":"ci","expires":"30d"}"#;
    let made = send(address, "POST /api/v1/tokens", &by, ("application/json", wanted));
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")), "{made:?}");
    let made = made.json();
    let key = [("X-API-Key", made["token"].as_str().unwrap())];
    assert_eq!(ask(address, STATS, &key).status, 200);
    let rows = ask(address, "GET /api/v1/tokens", &by);
    assert!(!rows.body.contains(made["token"].as_str().unwrap()), "{rows:?}");
    assert_eq!(rows.json()[1]["name"], "ci");
    assert!(rows.json()[1]["expires_at"].is_string(), "{rows:?}");
    let line = format!("DELETE /api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(ask(address, &line, &by).json()["state"], "revoked");
    ask(address, STATS, &key).problem(401);
    ask(address, "DELETE /api/v1/tokens/nobody", &by).problem(404);
    for slip in [r#"{"role":"root"}"#, r#"{"role":"read","x":1}"#, r#"{"role":"read","expires":0}"#]
    {
        send(address, "POST /api/v1/tokens", &by, ("application/json", slip)).problem(422);
    }
}

#[test]
fn a_token_is_worth_nothing_once_it_expired_or_was_revoked() {
    let (daemon, address) = listening(&[]);
    let short = token(&daemon, "admin", &["--expires", "2s"]);
    wait_for("it to expire", || {
        (ask(address, STATS, &[("X-API-Key", &short)]).status == 401).then_some(())
    });
    let long = token(&daemon, "admin", &[]);
    assert_eq!(ask(address, STATS, &[("X-API-Key", &long)]).status, 200);
    revoke(&daemon, &long);
    ask(address, STATS, &[("X-API-Key", &long)]).problem(401);
    let rows = tokens(&daemon);
    assert_eq!((&rows[0]["state"], &rows[1]["state"]), (&"expired".into(), &"revoked".into()));
}

#[test]
fn an_answer_that_goes_on_ends_with_the_token_that_it_was_begun_with() {
    let (daemon, address) = listening(&[]);
    let token = token(&daemon, "read", &[]);
    let mut stream = connect(address);
    let asked = head(address, "GET /api/v1/follow", &[("X-API-Key", &token)]);
    stream.write_all(asked.as_bytes()).unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun[9..], b"200");
    revoke(&daemon, &token);
    let said = rest(&mut stream);
    assert!(said.ends_with(b"0\r\n\r\n"), "it ends as it should: {said:?}");
}

#[test]
fn tokens_are_made_and_revoked_without_a_daemon_and_outlive_it() {
    let directory = daemon::directory(&list());
    let run = |arguments: &[&str]| {
        let mut command = program();
        command.args(arguments).args(["--data", "data"]).current_dir(directory.path());
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    assert!(run(&["token", "list"]).contains("there are no tokens"));
    let kept = run(&["token", "create", "--role", "run"]);
    let gone = run(&["token", "create", "--role", "admin"]);
    run(&["token", "revoke", gone.split('_').nth(1).unwrap()]);
    assert_eq!(run(&["token", "list"]).lines().count(), 3);

    let mut command = program();
    daemon::foreground(&mut command, directory.path()).args(["--listen", "127.0.0.1:0"]);
    let daemon = Daemon::spawn(&mut command, directory);
    let address = address(&daemon);
    assert_eq!(ask(address, STATS, &[("X-API-Key", &kept)]).status, 200);
    ask(address, STATS, &[("X-API-Key", &gone)]).problem(401);
    let fault = said(&mut daemon.asking(&["token", "revoke", "nobody"]));
    assert!(fault.contains("there is no token nobody"), "{fault}");
}

#[test]
fn no_secret_is_kept_or_logged() {
    let (daemon, address) = listening(&["--log-level", "trace"]);
    let token = token(&daemon, "admin", &[]);
    let secret = token.rsplit('_').next().unwrap().to_owned();
    assert_eq!(ask(address, STATS, &[("X-API-Key", &token)]).status, 200);
    ask(address, STATS, &[("X-API-Key", &token[1..])]).problem(401);
    let mut kept = Vec::new();
    for file in std::fs::read_dir(daemon.data()).unwrap() {
        let path = file.unwrap().path();
        kept.extend(std::fs::read(path).unwrap_or_default());
    }
    let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
    assert!(kept.len() > 1_000 && !has(&kept), "the secret is in a file");
    assert!(!has(tokens(&daemon).to_string().as_bytes()));
    assert!(!has(daemon.stop().as_bytes()), "the secret is in the log");
}

#[test]
fn whoever_comes_through_a_proxy_is_not_of_this_machine() {
    let (daemon, address) = listening(&[]);
    let token = token(&daemon, "read", &[]);
    for header in
        [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.1"), ("Via", "1.1 a")]
    {
        ask(address, STATS, &[header]).problem(401);
        assert_eq!(ask(address, STATS, &[header, ("X-API-Key", &token)]).status, 200);
        assert_eq!(ask(address, "GET /healthz", &[header]).status, 200);
        ask(address, "GET /api/v1/openapi.json", &[header]).problem(401);
        let me = ask(address, "GET /api/v1/me", &[header]).json();
        assert_eq!((&me["role"], &me["via"]), (&().into(), &"nothing".into()));
    }
}

#[test]
fn from_another_address_everything_needs_a_token() {
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    // Nothing is sent: it only tells which address we would have.
    let own = probe.connect("192.0.2.1:9").and_then(|()| probe.local_addr());
    let Some(own) = own.ok().map(|own| own.ip()).filter(|own| !own.is_loopback()) else {
        println!("skipped: this machine has no address but loopback");
        return;
    };
    let home = Home::new();
    home.list(&[serde_json::json!({"url": "http://127.0.0.1:9/", "interval": 3600})]);
    let mut daemon = home.attach(&["--listen", "0.0.0.0:0"]);
    let listen = home.summary()["listen"].as_str().expect("it listens").to_owned();
    let port = listen.rsplit_once(':').expect("a port").1.parse().expect("a port");
    let address = std::net::SocketAddr::new(own, port);
    ask(address, STATS, &[]).problem(401);
    ask(address, STATS, &[("Host", "localhost")]).problem(401);
    assert_eq!(ask(address, "GET /healthz", &[]).status, 200);
    let token = home.run(&["token", "create", "--role", "read"]).works().out;
    let token = token.trim();
    assert_eq!(ask(address, STATS, &[("X-API-Key", token)]).status, 200);
    let named = [("X-API-Key", token), ("Host", "poller.example")];
    assert_eq!(ask(address, STATS, &named).status, 200);
    let log = daemon.words();
    daemon.kill();
    assert!(log.contains("poller token create --role read makes one"), "{log}");
    assert!(log.contains("--tls-cert"), "{log}");
}

#[test]
fn a_name_that_is_not_ours_is_refused_where_no_token_is_shown() {
    let (daemon, address) = listening(&[]);
    for host in ["evil.example", "evil.example:9870", "localhost.evil.example", ""] {
        assert!(ask(address, STATS, &[("Host", host)]).problem(421).contains("not ours"));
        ask(address, "GET /login", &[("Host", host)]).problem(421);
    }
    ask(address, STATS, &[("Host", "localhost"), ("Host", "evil.example")]).problem(421);
    assert_eq!(ask(address, STATS, &[("Host", "localhost:1")]).status, 200);
    let token = token(&daemon, "read", &[]);
    let named = [("Host", "evil.example"), ("X-API-Key", token.as_str())];
    assert_eq!(ask(address, STATS, &named).status, 200);
}

#[test]
fn it_answers_over_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let (_daemon, address) = crate::listening_at("[::1]:0", &[]);
    assert!(address.is_ipv6());
    assert_eq!(ask(address, STATS, &[]).status, 200);
    assert_eq!(ask(address, STATS, &[("Host", "[::1]")]).status, 200);
    ask(address, STATS, &[("Host", "[::1].evil.example")]).problem(421);
}
