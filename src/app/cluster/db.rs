//! `poller db`: setting up the database of a cluster, and its targets.

mod export;
mod import;
mod status;

use std::time::Duration;

use crate::app::role::RoleError;
use crate::cli::db::{Db, DbWish, SHARDS};
use crate::config::Settings;
use crate::config::sources::Sources;
use crate::config::targets::written::Secrets;
use crate::shards::Shards;
use crate::store::postgres::import::Origin;
use crate::store::postgres::{Database, DatabaseError, VERSION};

/// How long a command may take that says or changes little.
const SHORT: Duration = Duration::from_mins(2);
/// How long a command may take that goes through all targets, or waits for another one.
const LONG: Duration = Duration::from_hours(1);

/// Does what `asked` wants of the database, and tells what it prints.
///
/// # Errors
/// It could not be done.
pub(in crate::app) fn db(
    asked: &Db,
    settings: &Settings,
    sources: &Sources,
) -> Result<String, RoleError> {
    let database = super::database(settings, "poller-db")?;
    if let DbWish::Import { list, keep_others, init } = &asked.wish {
        // A remote list has a runtime of its own.
        let list = import::read(list.as_deref(), settings, sources)?;
        return run(LONG, async {
            if *init {
                set_up(&database).await?;
            }
            import::import(&database, list, *keep_others).await
        });
    }
    let limit = match &asked.wish {
        DbWish::Migrate | DbWish::Export { .. } => LONG,
        _ => SHORT,
    };
    run(limit, act(&asked.wish, &database))
}

/// Does `work`, which may take `limit`: a server that hangs answers nothing for ever.
fn run<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, RoleError>>,
) -> Result<T, RoleError> {
    let failed = |reason| RoleError { code: 1, reason };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| failed(format!("cannot wait for the database: {error}")))?;
    let done = runtime.block_on(async { tokio::time::timeout(limit, work).await });
    let minutes = limit.as_secs() / 60;
    let slow = |_| {
        failed(format!(
            "the database did not do it within {minutes} minutes; look at what it waits for \
             (pg_stat_activity) and try again"
        ))
    };
    done.map_err(slow)?
}

async fn act(wish: &DbWish, database: &Database) -> Result<String, RoleError> {
    match wish {
        DbWish::Init { shards } => Ok(init(database, *shards).await?),
        DbWish::Migrate => Ok(migrate(database).await?),
        DbWish::Import { .. } => Ok(String::new()),
        DbWish::Export { api, secrets } => {
            let origin = if *api { Origin::Api } else { Origin::List };
            let secrets = if *secrets { Secrets::Told } else { Secrets::Hidden };
            export::export(database, origin, secrets).await
        }
        DbWish::Status { json } => Ok(status::status(database, *json).await?),
        DbWish::Location { name, again } => location(database, name, *again).await,
    }
}

async fn init(database: &Database, shards: u32) -> Result<String, DatabaseError> {
    let wrong = || DatabaseError::Refused(format!("{shards} shards are too many"));
    database.init(Shards::new(shards).ok_or_else(wrong)?).await?;
    Ok(format!(
        "set up version {VERSION} with {shards} shards; fill it with poller db import LIST\n"
    ))
}

/// Sets `database` up if that was not done yet.
async fn set_up(database: &Database) -> Result<(), DatabaseError> {
    match database.cluster().await {
        Err(DatabaseError::Empty) => init(database, SHARDS).await.map(drop),
        other => other.map(drop),
    }
}

async fn migrate(database: &Database) -> Result<String, DatabaseError> {
    Ok(match database.migrate().await? {
        VERSION => format!("the database is of version {VERSION} already\n"),
        found => format!("brought the database from version {found} to {VERSION}\n"),
    })
}

async fn location(database: &Database, name: &str, again: bool) -> Result<String, RoleError> {
    database.cluster().await?;
    if database.set_retired(name, !again).await?.is_some() {
        let what = if again { "made again" } else { "made no more" };
        return Ok(format!("jobs are {what} for the location {name}\n"));
    }
    let all = database.locations().await?;
    let names: Vec<&str> = all.iter().map(|location| location.name.as_str()).collect();
    let known = if names.is_empty() { "none has polled yet".to_owned() } else { names.join(", ") };
    let reason = format!("no location is called {name}; known are: {known}");
    Err(RoleError { code: 2, reason })
}
