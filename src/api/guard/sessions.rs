//! `Sessions`: browsers that have shown a token, known again by a cookie.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::jwt::Claims;
use crate::api::keys::{Unmintable, digest, random_text};

/// How long a session lasts, in milliseconds, whatever its token allows.
const LASTS_MS: i64 = 12 * 3_600_000;
/// Sessions at a time, of all and of one token; the oldest end for new ones.
const MOST: usize = 1_000;
const MOST_OF_ONE: usize = 50;

/// Whose a session is.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) enum Holder {
    /// Of who has the token with this id.
    Token(String),
    /// Of who has a JWT with these claims.
    Jwt(Claims),
}

/// A session that has just begun.
pub(in crate::api) struct Opened {
    /// What the cookie says.
    pub secret: String,
    /// Seconds that it lasts.
    pub seconds: i64,
}

/// The sessions, by the hash of what their cookies say.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    holder: Holder,
    csrf: String,
    began_ms: i64,
}

impl Session {
    fn is_over(&self, now_ms: i64) -> bool {
        !(self.began_ms..self.began_ms.saturating_add(LASTS_MS)).contains(&now_ms)
    }
}

impl Sessions {
    /// Begins a session of `holder` at `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn open(&self, holder: Holder, now_ms: i64) -> Result<Opened, Unmintable> {
        let (secret, csrf) = (random_text()?, random_text()?);
        let mut sessions = self.0.lock();
        sessions.retain(|_, session| !session.is_over(now_ms));
        make_room(&mut sessions, MOST_OF_ONE, |session| session.holder == holder);
        make_room(&mut sessions, MOST, |_| true);
        sessions.insert(digest(&secret), Session { holder, csrf, began_ms: now_ms });
        Ok(Opened { secret, seconds: LASTS_MS / 1_000 })
    }

    /// Whose the session of `secret` is, and what its page has to send with each change.
    pub(super) fn find(&self, secret: &str, now_ms: i64) -> Option<(Holder, String)> {
        // Found by its hash, a secret cannot be guessed letter by letter.
        let sessions = self.0.lock();
        let session = sessions.get(&digest(secret)).filter(|session| !session.is_over(now_ms))?;
        Some((session.holder.clone(), session.csrf.clone()))
    }

    /// Ends the session of `secret`.
    pub(super) fn close(&self, secret: &str) {
        self.0.lock().remove(&digest(secret));
    }
}

/// Ends the oldest of those that `counts`, until there are fewer than `most`.
fn make_room(
    sessions: &mut HashMap<[u8; 32], Session>,
    most: usize,
    counts: impl Fn(&Session) -> bool,
) {
    while sessions.values().filter(|session| counts(session)).count() >= most {
        let counted = sessions.iter().filter(|(_, session)| counts(session));
        let Some(oldest) = counted.min_by_key(|(_, session)| session.began_ms) else { return };
        let oldest = *oldest.0;
        sessions.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(number: usize) -> Holder {
        Holder::Token(number.to_string())
    }

    #[test]
    fn a_session_is_found_by_its_secret_until_it_ends() {
        let sessions = Sessions::default();
        let opened = sessions.open(holder(1), 1_000).expect("random numbers");
        let (found, csrf) = sessions.find(&opened.secret, 1_000).expect("found");
        assert_eq!((found, csrf.len()), (holder(1), 43));
        assert_eq!(sessions.find("other", 1_000), None);
        assert_eq!(sessions.find(&opened.secret, 1_000 + LASTS_MS), None);
        sessions.close(&opened.secret);
        assert_eq!(sessions.find(&opened.secret, 1_000), None);
    }

    #[test]
    fn there_are_so_many_at_a_time_and_the_oldest_end_first() {
        let sessions = Sessions::default();
        let open = |number: usize, at| sessions.open(holder(number), at).expect("random numbers");
        let first = open(0, 0);
        let of_one: Vec<_> = (1..).take(MOST_OF_ONE).map(|at| open(0, at)).collect();
        assert!(sessions.find(&first.secret, 100).is_none());
        assert!(of_one.iter().all(|opened| sessions.find(&opened.secret, 100).is_some()));
        (1..=MOST).for_each(|number| drop(open(number, 200)));
        assert_eq!(sessions.0.lock().len(), MOST);
        assert!(of_one.iter().all(|opened| sessions.find(&opened.secret, 200).is_none()));
    }
}
