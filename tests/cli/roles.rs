//! What the roles of a cluster say of files that they cannot use.

use crate::home::Home;

/// Where nobody is: what is wrong with files is told before anybody is waited for.
const DATABASE: [&str; 2] = ["--postgres", "postgres://poller@127.0.0.1:1/poller"];
const BROKERS: [&str; 2] = ["--kafka", "127.0.0.1:1"];

/// The command line of `role` in which both are nowhere.
fn nowhere(role: &'static str) -> Vec<&'static str> {
    match role {
        "checker" => [&[role][..], &BROKERS].concat(),
        "db" => [&[role, "status"], &DATABASE[..]].concat(),
        _ => [&[role][..], &DATABASE, &BROKERS].concat(),
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_flag_by_every_role() {
    let home = Home::new();
    home.write("empty", "\n");
    home.write("text", "no PEM\n");
    let missing = "No such file or directory";
    let flags = ["--kafka-ca", "--postgres-ca", "--kafka-password"];
    let roles = ["scheduler", "checker", "recorder", "db"];
    for (flag, role) in flags.iter().flat_map(|flag| roles.map(|role| (*flag, role))) {
        let stranger = if flag == "--postgres-ca" { "checker" } else { "db" };
        if role == stranger {
            home.run(&[&nowhere(role)[..], &[flag, "none"]].concat()).fails(2, &["means nothing"]);
            continue;
        }
        let secret = flag == "--kafka-password";
        let told = |file: &str| {
            let value = if secret { format!("file:{file}") } else { file.to_owned() };
            let mut line = nowhere(role);
            line.extend([flag, &value]);
            line.extend(secret.then_some(["--kafka-user", "poller"]).into_iter().flatten());
            let code = if secret { 2 } else { 1 };
            home.run(&line).fails(code, &[&format!("{flag} names "), file]).err
        };
        assert!(told("none").contains(missing), "{flag} {role}");
        assert!(told("empty").ends_with("empty, which is empty\n"), "{flag} {role}");
        if !secret {
            let told = told("text");
            assert!(told.contains("text, which holds no certificate in PEM form"), "{told}");
        }
    }
}

#[test]
fn a_certificate_and_its_key_are_told_apart_and_all_that_is_wrong_is_told_at_once() {
    let home = Home::new();
    let pair = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    home.write("cert", &pair.cert.pem());
    home.write("key", &pair.signing_key.serialize_pem());
    let shown = ["--kafka-ca", "cert", "--kafka-cert", "key", "--kafka-key", "cert"];
    for role in ["scheduler", "checker", "recorder"] {
        home.run(&[&nowhere(role)[..], &shown].concat()).fails(
            1,
            &[
                "--kafka-cert names key, which holds no certificate in PEM form",
                "; --kafka-key names cert, which holds no private key in PEM form",
            ],
        );
    }
}
