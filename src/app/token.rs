//! `poller token`: asks the running daemon, else reads and writes the store itself.

use std::path::Path;

use super::keys::{hold_most, rows};
use crate::api::client::{AskError, Client};
use crate::api::{CreatedToken, Minted, NewToken, TokenRow};
use crate::cli::token::{Create, Token, Wish, shown};
use crate::clock::Clock;
use crate::lock::Lock;
use crate::store::Store;
use crate::store::reader::{ReadError, Reader};
use crate::store::sqlite::{FILE_NAME, SqliteOptions, SqliteStore};
use crate::store::tokens::KeptToken;

/// Does what `asked` wants with the tokens of the data directory `data`; returns what is printed,
/// and a word beside it.
///
/// # Errors
/// It cannot be done; says why.
pub fn token(
    data: &Path,
    client: &Client,
    asked: &Token,
) -> Result<(String, Option<String>), String> {
    match &asked.wish {
        Wish::Create(create) => {
            let wanted = create.wanted();
            let asked = live(client.create_token(&wanted))?;
            let created = asked.map_or_else(|| create_stored(data, &wanted), Ok)?;
            Ok(told(create, &created))
        }
        Wish::List { json } => {
            let rows = live(client.tokens())?.map_or_else(|| stored(data), Ok)?;
            Ok((if *json { pretty(&rows) } else { shown(&rows) }, None))
        }
        Wish::Revoke { id } => {
            let asked = live(client.revoke_token(id))?;
            asked.map_or_else(|| revoke_stored(data, id), |_| Ok(()))?;
            Ok((format!("the token {id} is revoked\n"), None))
        }
    }
}

/// What the daemon said; none: there is no daemon, so the store can be asked.
fn live<T>(asked: Result<T, AskError>) -> Result<Option<T>, String> {
    match asked {
        Ok(said) => Ok(Some(said)),
        Err(AskError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn told(create: &Create, created: &CreatedToken) -> (String, Option<String>) {
    if create.json {
        return (pretty(created), None);
    }
    let until = created.row.expires_at.as_ref();
    let until = until.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {at}"));
    let word = format!(
        "token {} with the role {}, valid {until}; it is not shown again",
        created.row.id,
        created.row.role.as_str()
    );
    (format!("{}\n", created.token), Some(word))
}

fn pretty(value: &impl serde::Serialize) -> String {
    // It is made of texts alone, which JSON can always tell.
    serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default()
}

fn stored(data: &Path) -> Result<Vec<TokenRow>, String> {
    Ok(rows(&kept(data)?, Clock::system().now_ms()))
}

/// The tokens that the store holds; where there is no store, there are none.
fn kept(data: &Path) -> Result<Vec<KeptToken>, String> {
    match Reader::open(&data.join(FILE_NAME)).and_then(|reader| reader.tokens()) {
        Ok(kept) => Ok(kept),
        Err(ReadError::Missing { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}

fn create_stored(data: &Path, wanted: &NewToken) -> Result<CreatedToken, String> {
    let (_lock, mut store) = open(data)?;
    let now_ms = Clock::system().now_ms();
    hold_most(kept(data)?.iter(), now_ms).map_err(|error| error.to_string())?;
    let Minted { text, kept } = Minted::of(wanted, now_ms).map_err(|error| error.to_string())?;
    store.keep_token(&kept).map_err(|error| error.to_string())?;
    Ok(CreatedToken { token: text, row: TokenRow::of(&kept, now_ms) })
}

fn revoke_stored(data: &Path, id: &str) -> Result<(), String> {
    let unknown = || Err(format!("there is no token {id}; poller token list shows all"));
    if !kept(data)?.iter().any(|token| token.id == id) {
        return unknown();
    }
    let (_lock, mut store) = open(data)?;
    let is_known = store.revoke_token(id, Clock::system().now_ms());
    if is_known.map_err(|error| error.to_string())? { Ok(()) } else { unknown() }
}

/// The store of `data`, with its lock: no daemon may begin to write it meanwhile.
fn open(data: &Path) -> Result<(Lock, SqliteStore), String> {
    let lock = Lock::take(data).map_err(|error| error.to_string())?;
    let store = SqliteStore::open(&data.join(FILE_NAME), SqliteOptions::default());
    Ok((lock, store.map_err(|error| error.to_string())?))
}
