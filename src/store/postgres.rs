//! The edge of a cluster: targets and history in PostgreSQL.
//!
//! Every type of the client library stays in here.

mod append;
pub mod change;
mod gaps;
pub mod import;
pub mod leases;
pub mod members;
pub mod partitions;
pub mod pauses;
pub mod read;
mod restore;
mod rows;
pub mod setup;
pub mod status;
pub mod targets;
pub mod terms;
mod tokens;
pub mod witness;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The version of the schema that this program reads and writes.
pub const VERSION: i32 = 1;

/// How long a connection may take to come about, one of the pool is waited for, and an answer that is
/// no work for the server.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer may take that is work for the server, and the next one of many rows.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a server that does not answer is taken for one that works.
const SILENCE: Duration = Duration::from_secs(15);

/// How the database is reached.
#[derive(Clone)]
pub struct Address {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, and what `libpq` allows behind a `?`.
    pub url: String,
    /// PEM file with the authority of its certificate; none: the known ones.
    pub ca: Option<PathBuf>,
    /// What this client is called in the database's list of sessions.
    pub client: String,
}

impl std::fmt::Debug for Address {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Address(<secret>, {})", self.client)
    }
}

/// Why the database could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Its address is none.
    #[error(
        "the address of the database (--postgres) is wrong: {0}; write \
             postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    Address(String),
    /// The file with its authority cannot be used.
    #[error("--postgres-ca names {}, {reason}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It cannot be reached for now, or broke off; it may work later.
    #[error("the database does not answer: {0}")]
    Away(String),
    /// It lets us not in, or not do this.
    #[error("the database refuses: {0}")]
    Refused(String),
    /// It is not set up.
    #[error("the database holds no cluster; set it up with poller db init")]
    Empty,
    /// It is of another version than this program.
    #[error("the database is of version {found}, this program knows {VERSION}; {}", advice(*found))]
    Version {
        /// Its version.
        found: i32,
    },
    /// Somebody else has taken over what we wrote.
    #[error("shard {shard} was taken over by another member: its lease had run out")]
    Fenced {
        /// The shard.
        shard: u32,
    },
    /// What it holds makes no sense.
    #[error("the database holds something that cannot be: {0}")]
    Broken(String),
}

fn advice(found: i32) -> &'static str {
    if found > VERSION {
        "use a newer poller"
    } else {
        "bring it up to date with poller db migrate"
    }
}

impl DatabaseError {
    /// Whether the same may work later, without anybody doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(told) = error.as_db_error() else { return Self::Away(with_advice(whole(&error))) };
        let code = told.code().code();
        let text = format!("{} ({code})", told.message());
        // Classes of SQLSTATE: connection, resources, operator intervention, system, rollback; a
        // transaction that stood still for too long; and a server that only reads, for a while.
        let is_passing = ["08", "53", "57", "58", "40", "55", "25P03", "25006"]
            .iter()
            .any(|class| code.starts_with(class));
        if is_passing { Self::Away(text) } else { Self::Refused(text) }
    }
}

impl From<deadpool_postgres::PoolError> for DatabaseError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => Self::Away(other.to_string()),
        }
    }
}

/// `reason` why no connection is had, with what to do where nobody else needs to do anything.
fn with_advice(reason: String) -> String {
    if reason.contains("invalid peer certificate") {
        format!("{reason}; name the authority of its certificate with --postgres-ca")
    } else if reason.contains("server does not support TLS") {
        format!("{reason}; turn TLS on there, or leave out --postgres-ca and sslmode=require here")
    } else {
        reason
    }
}

/// `error` and all that led to it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// Connections to the database of a cluster.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Database({:?})", self.pool.status())
    }
}

impl Database {
    /// Connections to the database at `address`, `most` at a time; none is made yet.
    ///
    /// # Errors
    /// The address is none, or the file with its authority cannot be read.
    pub fn at(address: &Address, most: usize) -> Result<Self, DatabaseError> {
        Self::with_options(address, most, "")
    }

    /// The same, with sessions that begin with `options` as the server's command line has them.
    fn with_options(address: &Address, most: usize, options: &str) -> Result<Self, DatabaseError> {
        let wrong = |error: &dyn std::error::Error| DatabaseError::Address(whole(error));
        let mut config =
            tokio_postgres::Config::from_str(&address.url).map_err(|error| wrong(&error))?;
        config.application_name(&address.client);
        config.options(format!("-c search_path=poller -c timezone=UTC {options}"));
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        config.keepalives_idle(PATIENCE);
        config.keepalives_interval(SILENCE / 3);
        config.keepalives_retries(3);
        config.tcp_user_timeout(SILENCE);
        if address.ca.is_some() && config.get_ssl_mode() != SslMode::Disable {
            config.ssl_mode(SslMode::Require);
        }
        let connect = MakeRustlsConnect::new(tls(address.ca.as_deref())?);
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, connect, settings))
            .max_size(most)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| wrong(&error))?;
        Ok(Self { pool })
    }

    /// A connection, for what other files of this edge do.
    async fn client(&self) -> Result<Client, DatabaseError> {
        Ok(self.pool.get().await?)
    }

    /// A connection that nobody gets again unless it is given back.
    async fn lend(&self) -> Result<Lent, DatabaseError> {
        Ok(Lent(Some(self.client().await?)))
    }

    /// Does `work` with a connection, each of which may take `limit`. When it takes longer, when
    /// it fails, or when nobody waits for it any more, nobody else gets that connection: it may hang,
    /// and what was asked may still come by it.
    async fn within<T>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let late = |_| slow(limit);
        let mut lent = tokio::time::timeout(limit, self.lend()).await.map_err(late)??;
        let done = tokio::time::timeout(limit, work(lent.client()?)).await.map_err(late)??;
        lent.give_back();
        Ok(done)
    }
}

fn slow(limit: Duration) -> DatabaseError {
    DatabaseError::Away(format!("it takes longer than {limit:?}"))
}

/// A connection that leaves the pool unless it is given back.
struct Lent(Option<Client>);

impl Lent {
    fn client(&mut self) -> Result<&mut Client, DatabaseError> {
        self.0.as_mut().ok_or_else(|| DatabaseError::Away("the connection is gone".to_owned()))
    }

    /// All that was asked was answered: others may have it.
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Client::take(client));
        }
    }
}

/// How TLS is spoken where the address asks for it.
fn tls(ca: Option<&std::path::Path>) -> Result<rustls::ClientConfig, DatabaseError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let broken = |reason: String| DatabaseError::Authority { path: path.to_owned(), reason };
        let unreadable = |error| broken(format!("which cannot be read: {error}"));
        let bytes = std::fs::read(path).map_err(unreadable)?;
        if bytes.trim_ascii().is_empty() {
            return Err(broken("which is empty".to_owned()));
        }
        let unfit = |error: &dyn std::fmt::Display| {
            broken(format!("which holds a certificate that cannot be used: {error}"))
        };
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            roots
                .add(certificate.map_err(|error| unfit(&error))?)
                .map_err(|error| unfit(&error))?;
        }
        if roots.is_empty() {
            let reason = "which holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)";
            return Err(broken(reason.to_owned()));
        }
    } else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DatabaseError::Address(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
