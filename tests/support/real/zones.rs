//! What the authoritative server knows: zones of every kind of record, two of them signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the zone without signatures.
pub(crate) const PLAIN: &str = "example.test";

/// The name of the zone with good signatures.
pub(crate) const SIGNED: &str = "signed.test";

/// The name of the zone whose signatures expired on 1 February 2020.
pub(crate) const BROKEN: &str = "broken.test";

/// The zones of `192.0.2.0/24` and `2001:db8::/32`.
pub(crate) const REVERSE: [&str; 2] = ["2.0.192.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"];

/// How many addresses, and texts of 100 bytes, `many.example.test` has: too many for UDP.
pub(crate) const MANY: usize = 60;

/// How long the text of `long.example.test` is, in two strings.
pub(crate) const LONG: usize = 400;

const EXAMPLE: &str = r#"
@ 3600 IN SOA ns1 hostmaster 2026010101 7200 3600 1209600 60
@ NS ns1
@ NS ns2
@ A 192.0.2.1
@ AAAA 2001:db8::1
@ MX 10 mail
@ MX 20 backup
@ TXT "v=spf1 -all"
@ CAA 0 issue "ca.example.test"
@ CAA 0 iodef "mailto:hostmaster@example.test"
ns1 A 127.0.0.1
ns2 A 127.0.0.1
www A 192.0.2.10
www A 192.0.2.11
www AAAA 2001:db8::10
local A 127.0.0.1
mail A 192.0.2.25
mail AAAA 2001:db8::25
backup A 192.0.2.26
alias CNAME www
chain CNAME alias
dangling CNAME nowhere
loop1 CNAME loop2
loop2 CNAME loop1
multi TXT "first" "second" "third; with spaces"
textonly TXT "a name without addresses"
nomail MX 0 .
*.wild A 192.0.2.77
_sip._tcp SRV 10 60 5060 www
_sip._tcp SRV 20 0 5061 mail
short 1 A 192.0.2.12
"#;

const FOUR: &str = "
@ SOA ns1.example.test. hostmaster.example.test. 1 7200 3600 1209600 60
@ NS ns1.example.test.
1 PTR example.test.
10 PTR www.example.test.
25 PTR mail.example.test.
25 PTR mx.example.test.
";

const SIX: &str = "
@ SOA ns1.example.test. hostmaster.example.test. 1 7200 3600 1209600 60
@ NS ns1.example.test.
0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR www.example.test.
";

const FOR_SIGNATURES: &str = r#"
@ 3600 SOA ns hostmaster 1 7200 3600 1209600 60
@ NS ns
@ A 192.0.2.20
@ MX 10 mail
@ TXT "under signature"
ns A 127.0.0.1
www A 192.0.2.20
www AAAA 2001:db8::20
mail A 192.0.2.21
alias CNAME www
"#;

/// Writes all zones into `folder`, as `ZONE.zone`; the trust anchors of the two that are signed.
pub(super) fn write(folder: &Path) -> Vec<PathBuf> {
    put(folder, PLAIN, &(EXAMPLE.to_owned() + &long() + &many()));
    put(folder, REVERSE[0], FOUR);
    put(folder, REVERSE[1], SIX);
    let past = ["-i", "20200101000000", "-e", "20200201000000"];
    vec![signed(folder, SIGNED, &[]), signed(folder, BROKEN, &past)]
}

/// The names of all zones.
pub(super) fn names() -> [&'static str; 5] {
    [PLAIN, REVERSE[0], REVERSE[1], SIGNED, BROKEN]
}

fn put(folder: &Path, zone: &str, records: &str) {
    let text = format!("$ORIGIN {zone}.\n$TTL 300\n{records}");
    fs::write(folder.join(format!("{zone}.zone")), text).expect("a folder of ours");
}

fn long() -> String {
    format!("long TXT \"{}\" \"{}\"\n", "a".repeat(255), "b".repeat(LONG - 255))
}

fn many() -> String {
    let rest = "x".repeat(97);
    let records = |number| {
        format!(
            "many A 198.51.100.{number}
many TXT \"{number:03}{rest}\"
"
        )
    };
    (1..=MANY).map(records).collect::<Vec<_>>().concat()
}

/// Signs a zone, with `options`; the file that holds its trust anchor.
fn signed(folder: &Path, zone: &str, options: &[&str]) -> PathBuf {
    put(folder, zone, FOR_SIGNATURES);
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder).output();
        let output = output.expect("a program that is there");
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let key = run("ldns-keygen", &["-a", "ECDSAP256SHA256", "-k", zone]);
    let file = format!("{zone}.zone");
    let signed = format!("{zone}.signed");
    run("ldns-signzone", &[options, &["-f", &signed, &file, &key]].concat());
    fs::rename(folder.join(signed), folder.join(file)).expect("a folder of ours");
    folder.join(format!("{key}.ds"))
}
