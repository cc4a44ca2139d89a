//! `Listing`: where the targets come from, read at the start and again whenever it may have
//! changed.

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::check::client_tls;
use crate::config::Settings;
use crate::config::settings::Shrink;
use crate::config::substitute::Origin;
use crate::config::targets::remote::Remote;
use crate::config::targets::source::Source;
use crate::config::targets::{List, ListError, read, read_file, refuse_shrunk};

/// Where the targets come from.
#[derive(Debug, Default)]
pub struct Listing {
    remote: Option<Remote>,
    standard: Standard,
    cancelled: CancellationToken,
}

/// The list from standard input, which can be read only once.
#[derive(Debug, Default)]
enum Standard {
    #[default]
    Unread,
    Read(List),
    Taken,
}

impl Listing {
    /// Reads what has to be read before the process detaches: standard input is closed then.
    ///
    /// # Errors
    /// As [`ListError`] says, of a list from standard input.
    pub fn before_detaching(settings: &Settings) -> Result<Self, ListError> {
        let mut listing = Self::default();
        if matches!(settings.urls, Source::Standard) {
            listing.standard = Standard::Read(read_standard(settings)?);
        }
        Ok(listing)
    }

    /// Cancelled, it gives up what it fetches.
    pub(super) const fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Forgets which version of a list was read last: it is not in use.
    pub(super) fn forget(&mut self) {
        self.remote = None;
    }

    /// Reads the list that `settings` name; `None` when a remote one has not changed since,
    /// and when one from standard input has been read before.
    ///
    /// # Errors
    /// As [`ListError`] says.
    pub(super) fn read(&mut self, settings: &Settings) -> Result<Option<List>, ListError> {
        match &settings.urls {
            Source::File(path) => read_file(path, &settings.variables, &settings.rules).map(Some),
            Source::Standard => match std::mem::replace(&mut self.standard, Standard::Taken) {
                Standard::Unread => read_standard(settings).map(Some),
                Standard::Read(list) => Ok(Some(list)),
                Standard::Taken => Ok(None),
            },
            Source::Wrong { shown, error } => {
                Err(ListError::NoAddress { file: Arc::from(&**shown), reason: error.to_string() })
            }
            Source::Remote(address) => {
                let remote = match &mut self.remote {
                    Some(remote) => remote,
                    empty => {
                        let tls = client_tls(settings.ca.as_deref())
                            .map_err(|error| unfetched(address, &error))?;
                        let remote = Remote::new(address.clone(), tls, &settings.user_agent)?;
                        empty.insert(remote)
                    }
                };
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| unfetched(address, &error))?;
                let fetched = runtime.block_on(async {
                    tokio::select! {
                        fetched = remote.fetch(&settings.rules) => fetched,
                        () = self.cancelled.cancelled() => Err(given_up(address)),
                    }
                })?;
                Ok(fetched.map(|fetched| remote.keep(fetched)))
            }
        }
    }

    /// Reads the list again in the place of one with `before` targets.
    ///
    /// # Errors
    /// As [`Listing::read`]; a list from a URL that came empty or lost over half of its targets is
    /// refused, unless settings allow it.
    pub(super) fn read_again(
        &mut self,
        settings: &Settings,
        before: usize,
    ) -> Result<Option<List>, ListError> {
        let Some(list) = self.read(settings)? else { return Ok(None) };
        let is_remote = matches!(settings.urls, Source::Remote(_));
        if is_remote
            && settings.shrink == Shrink::Refuse
            && let Err(error) = refuse_shrunk(before, &list)
        {
            self.forget();
            return Err(error);
        }
        Ok(Some(list))
    }
}

fn read_standard(settings: &Settings) -> Result<List, ListError> {
    // A folder that is gone has no files that could be named.
    let here = std::env::current_dir().unwrap_or_default();
    let origin = Origin::of_file(&here.join("standard input"), settings.variables.clone());
    read(&mut io::stdin().lock(), "standard input", &origin, &settings.rules)
}

fn given_up(address: &crate::address::Address) -> ListError {
    unfetched(address, &io::Error::other("it was given up"))
}

fn unfetched(address: &crate::address::Address, error: &dyn std::error::Error) -> ListError {
    ListError::Unfetched { file: Arc::from(address.to_string()), reason: error.to_string() }
}
