//! Where a list comes from.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::address::{Address, AddressError};
use crate::config::values::without_credentials;

/// Where a list comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input, written `-`.
    Standard,
    /// An http or https URL.
    Remote(Address),
    /// A URL from which no list can be read.
    Wrong {
        /// As it was written, without credentials.
        shown: Box<str>,
        /// Why not.
        error: AddressError,
    },
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Standard);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if !scheme.is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return Ok(Self::File(text.into()));
        }
        Ok(Address::parse(text).map_or_else(
            |error| Self::Wrong { shown: without_credentials(text).into(), error },
            Self::Remote,
        ))
    }
}

impl fmt::Display for Source {
    /// As it was written, without credentials.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Standard => formatter.write_str("standard input"),
            Self::Remote(address) => address.fmt(formatter),
            Self::Wrong { shown, .. } => formatter.write_str(shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_standard_input_or_an_address() {
        let source = |text: &str| text.parse::<Source>().expect("never fails");
        assert_eq!(source("urls.json"), Source::File("urls.json".into()));
        assert_eq!(source("-"), Source::Standard);
        let remote = source("https://me:pw@a.example/list.json");
        assert!(matches!(remote, Source::Remote(_)));
        assert_eq!(remote.to_string(), "https://<secret>@a.example/list.json");
    }

    #[test]
    fn an_address_that_is_none_is_not_taken_for_a_file() {
        let source = |text: &str| text.parse::<Source>().expect("never fails");
        let wrong = source("ftp://me:pw@a.example/list.json");
        assert!(matches!(wrong, Source::Wrong { .. }));
        assert_eq!(wrong.to_string(), "ftp://<secret>@a.example/list.json");
        assert!(matches!(source("lists/a://b.json"), Source::File(_)));
    }
}
