//! `JwtKey`: tokens that other services sign (RFC 7519), by HS256 (RFC 7515, RFC 7518) alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Deserialize;
use serde_json::Value;

use crate::api::visitor::Role;

/// Bytes of a token at most.
const LONGEST: usize = 8_192;
/// Characters of a subject that are kept.
const SUBJECT: usize = 100;
/// How far the clocks of signer and reader may be apart, in seconds.
const LEEWAY_S: f64 = 10.0;

/// The key by which other services sign.
#[derive(Debug)]
pub struct JwtKey(hmac::Key);

/// What a token says that was signed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) struct Claims {
    /// Whom it is for; may be empty.
    pub subject: String,
    /// What it allows.
    pub role: Role,
    /// When it expires, in Unix seconds.
    expires_s: f64,
}

impl Claims {
    /// Whether it has expired at `now_ms` (Unix milliseconds).
    pub(super) fn is_over(&self, now_ms: i64) -> bool {
        seconds(now_ms) >= self.expires_s + LEEWAY_S
    }
}

/// What is read of the head; whatever else there is must not matter, and `crit` says that it does.
#[derive(Deserialize)]
struct Head {
    alg: String,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Body {
    exp: f64,
    nbf: Option<f64>,
    role: Role,
    sub: Option<String>,
}

impl JwtKey {
    /// The key that is made of `secret`, of 32 bytes at least.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// What `token` says at `now_ms` (Unix milliseconds), if we signed it or somebody who has the
    /// key, by HS256, and it is valid then.
    pub(super) fn claims(&self, token: &str, now_ms: i64) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, body) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // It compares in constant time, and before anything that was signed is believed.
        hmac::verify(&self.0, signed.as_bytes(), &signature).ok()?;
        let head: Head = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
        if head.alg != "HS256" || head.crit.is_some() {
            return None;
        }
        let body: Body = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
        let is_early = body.nbf.is_some_and(|from| seconds(now_ms) < from - LEEWAY_S);
        let subject = body.sub.unwrap_or_default();
        let subject = subject
            .chars()
            .take(SUBJECT)
            .map(|letter| if letter.is_control() { ' ' } else { letter });
        let claims = Claims { subject: subject.collect(), role: body.role, expires_s: body.exp };
        (!is_early && !claims.is_over(now_ms)).then_some(claims)
    }
}

#[expect(clippy::cast_precision_loss, reason = "times of ours are far below 2^53")]
fn seconds(now_ms: i64) -> f64 {
    now_ms as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_341_600_000;
    const SECRET: &[u8] = b"a secret of thirty-two bytes, yes";

    fn signed_by(secret: &[u8], head: &str, body: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(body));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn claims(token: &str) -> Option<Claims> {
        JwtKey::new(SECRET).claims(token, NOW_MS)
    }

    fn said(body: &str) -> Option<Claims> {
        claims(&signed_by(SECRET, r#"{"alg":"HS256","typ":"JWT"}"#, body))
    }

    #[test]
    fn the_example_of_the_standard_is_verified() {
        // RFC 7515, appendix A.1; it has no role and has long expired, so only its signature counts.
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MT\
                     kzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uh\
                     bUJU1p1r_wW1gFWFOEjXk";
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAz\
                      Zr1Z9CAow";
        let key = JwtKey::new(&URL_SAFE_NO_PAD.decode(secret).expect("base64"));
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        assert!(hmac::verify(&key.0, signed.as_bytes(), &signature).is_ok());
        assert_eq!(key.claims(token, 1_300_819_379_000), None, "it names no role");
    }

    #[test]
    fn what_was_signed_is_told() {
        let claims = said(r#"{"exp":1795341601,"role":"run","sub":"ci\n"}"#).expect("valid");
        assert_eq!((claims.subject.as_str(), claims.role), ("ci ", Role::Run));
    }

    #[test]
    fn its_time_is_kept_with_a_small_leeway() {
        assert!(said(r#"{"exp":1795341595,"role":"read"}"#).is_some());
        assert!(said(r#"{"exp":1795341590,"role":"read"}"#).is_none());
        assert!(said(r#"{"exp":1795341700,"nbf":1795341605.5,"role":"read"}"#).is_some());
        assert!(said(r#"{"exp":1795341700,"nbf":1795341611,"role":"read"}"#).is_none());
    }

    #[test]
    fn claims_that_are_missing_or_of_another_kind_make_it_worthless() {
        for body in [
            r#"{"role":"read"}"#,
            r#"{"exp":1795341700}"#,
            r#"{"exp":"1795341700","role":"read"}"#,
            r#"{"exp":1795341700,"role":"root"}"#,
            r#"{"exp":1795341700,"role":["admin"]}"#,
            r#"{"exp":1795341700,"nbf":"soon","role":"read"}"#,
            r#"{"exp":1795341700,"role":"read","role":"admin"}"#,
            r#"{"exp":1e999,"role":"read"}"#,
            "[]",
            "",
        ] {
            assert_eq!(said(body), None, "{body}");
        }
    }

    #[test]
    fn no_other_algorithm_key_or_form_is_taken() {
        let body = r#"{"exp":1795341700,"role":"admin"}"#;
        for head in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"none","alg":"HS256"}"#,
        ] {
            assert_eq!(claims(&signed_by(SECRET, head, body)), None, "{head}");
        }
        let head = r#"{"alg":"HS256"}"#;
        let good = signed_by(SECRET, head, body);
        assert!(claims(&good).is_some());
        assert_eq!(claims(&signed_by(b"another secret of 32 bytes, truly", head, body)), None);
        let (signed, signature) = good.rsplit_once('.').expect("three parts");
        let unsigned = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
            URL_SAFE_NO_PAD.encode(body)
        );
        for slip in [
            unsigned,
            format!("{signed}."),
            signed.to_owned(),
            format!("{signed}.{}", &signature[..signature.len() - 1]),
            format!("{good}="),
            format!("{good}.{signature}"),
            format!(".{good}"),
            signed_by(SECRET, head, &format!("{body}{}", " ".repeat(LONGEST))),
        ] {
            assert_eq!(claims(&slip), None, "{slip}");
        }
    }
}
