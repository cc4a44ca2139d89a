//! `Trail`: the hops of a poll, and where a redirect leads to.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::address::{Address, AddressError};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};

/// The hops of a poll so far.
#[derive(Debug, Default)]
pub(crate) struct Trail(Vec<u64>);

impl Trail {
    /// Notes that `address` has been asked by `method`.
    pub(crate) fn note(&mut self, method: &str, address: &Address) {
        self.0.push(fingerprint(method, address));
    }

    /// The address that a redirect from `from` to `location` leads to by `method`.
    ///
    /// # Errors
    /// It leads nowhere, to another scheme, or to where we have been.
    pub(crate) fn next(
        &self,
        from: &Address,
        location: &[u8],
        method: &str,
    ) -> Result<Address, Fault> {
        let fault = |detail| Fault::new(Cause::Redirect, detail);
        let text = std::str::from_utf8(location).map_err(|_| fault(Detail::BadLocation))?;
        let next = from.join(text).map_err(|error| {
            fault(match error {
                AddressError::Scheme(_) => Detail::OtherScheme,
                _ => Detail::BadLocation,
            })
        })?;
        if self.0.contains(&fingerprint(method, &next)) {
            return Err(fault(Detail::Loop));
        }
        Ok(next)
    }
}

/// The method of the request that follows an answer of `status` (RFC 9110, section 15.4).
pub(crate) fn next_method(status: u16, method: &str) -> &str {
    match (status, method) {
        (303, "HEAD") => "HEAD",
        (303, _) | (301 | 302, "POST") => "GET",
        _ => method,
    }
}

fn fingerprint(method: &str, address: &Address) -> u64 {
    let mut hasher = DefaultHasher::new();
    (method, address.scheme(), address.host_text(), address.port()).hash(&mut hasher);
    address.path_and_query().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("a good address")
    }

    fn lead(location: &str) -> Result<String, Detail> {
        let mut trail = Trail::default();
        let from = address("http://a.example");
        trail.note("GET", &from);
        trail
            .next(&from, location.as_bytes(), "GET")
            .map(|next| next.to_string())
            .map_err(|fault| fault.detail)
    }

    #[test]
    fn a_redirect_leads_to_what_it_names_or_says_why_not() {
        assert_eq!(lead("/x"), Ok("http://a.example/x".into()));
        assert_eq!(lead("ftp://a.example/"), Err(Detail::OtherScheme));
        assert_eq!(lead("http://["), Err(Detail::BadLocation));
    }

    #[test]
    fn the_same_place_written_otherwise_is_a_loop() {
        assert_eq!(lead("http://A.example:80/#top"), Err(Detail::Loop));
    }

    #[test]
    fn a_form_that_was_sent_is_not_sent_again() {
        assert_eq!(next_method(303, "PUT"), "GET");
        assert_eq!(next_method(302, "POST"), "GET");
        assert_eq!(next_method(307, "POST"), "POST");
        assert_eq!(next_method(301, "HEAD"), "HEAD");
    }
}
