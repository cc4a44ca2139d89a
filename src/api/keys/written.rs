//! `Minted`: a fresh token, and how tokens are written: `poller_ID_SECRET`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::SHA256;
use ring::rand::{SecureRandom, SystemRandom};

use super::NewToken;
use crate::store::tokens::KeptToken;

/// What every token begins with, so that one that was lost can be found.
const PREFIX: &str = "poller_";
/// Random bytes of an id, and of a secret.
const ID: usize = 6;
const SECRET: usize = 32;
/// Characters of an id, and of a secret, as they are written.
const ID_WRITTEN: usize = 12;
const SECRET_WRITTEN: usize = 43;

/// A token that was just made.
pub struct Minted {
    /// All of it, as it is sent.
    pub text: String,
    /// What is kept of it.
    pub kept: KeptToken,
}

/// The system gives no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers; try again")]
pub struct Unmintable;

impl Minted {
    /// The token that is `wanted`, made at `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn of(wanted: &NewToken, now_ms: i64) -> Result<Self, Unmintable> {
        let wanted = wanted.plain();
        let number = random::<ID>()?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let id = format!("{number:012x}");
        let secret = random_text()?;
        let expires_ms = wanted.expires.map(|seconds| now_ms + i64::from(seconds) * 1_000);
        let kept = KeptToken {
            digest: digest(&secret),
            name: wanted.name,
            role: wanted.role.as_str().to_owned(),
            created_ms: now_ms,
            expires_ms,
            revoked_ms: None,
            id,
        };
        Ok(Self { text: format!("{PREFIX}{}_{secret}", kept.id), kept })
    }
}

/// Id and secret of a token as it is sent; none: it is no token of ours.
pub(in crate::api) fn parts(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_id = id.len() == ID_WRITTEN && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && secret.len() == SECRET_WRITTEN).then_some((id, secret))
}

/// SHA-256 of `secret`, by which it is known again. It is random and long, so no slow hash is
/// needed.
pub(in crate::api) fn digest(secret: &str) -> [u8; 32] {
    let digest = ring::digest::digest(&SHA256, secret.as_bytes());
    // SHA-256 has 32 bytes.
    digest.as_ref().try_into().unwrap_or_default()
}

/// 32 random bytes as text.
pub(in crate::api) fn random_text() -> Result<String, Unmintable> {
    Ok(URL_SAFE_NO_PAD.encode(random::<SECRET>()?))
}

fn random<const N: usize>() -> Result<[u8; N], Unmintable> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Unmintable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Role;

    #[test]
    fn a_fresh_token_is_like_no_other_and_only_its_hash_is_kept() {
        let wanted = NewToken { role: Role::Run, name: " a\nb ".into(), expires: Some(2) };
        let one = Minted::of(&wanted, 1_000).expect("random numbers");
        let other = Minted::of(&wanted, 1_000).expect("random numbers");
        let (id, secret) = parts(&one.text).expect("a token");
        assert_eq!((id, digest(secret)), (one.kept.id.as_str(), one.kept.digest));
        assert_eq!((one.kept.expires_ms, one.kept.name.as_str()), (Some(3_000), "a b"));
        assert_ne!(one.kept.id, other.kept.id);
        assert_ne!(one.kept.digest, other.kept.digest);
        assert!(!format!("{:?}", one.kept).contains(secret));
    }

    #[test]
    fn what_is_not_written_as_a_token_is_none() {
        let good = format!("poller_{}_{}", "a".repeat(12), "b".repeat(43));
        assert!(parts(&good).is_some());
        for slip in
            [&good[1..], &good[..good.len() - 1], &format!("{good}c"), "poller_", "", "poller__"]
        {
            assert_eq!(parts(slip), None, "{slip}");
        }
    }
}
