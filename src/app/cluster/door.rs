//! The door to a cluster for commands: this process itself answers, at a socket that is its own.

use std::sync::Arc;

use super::face::{bystander, of_cluster};
use super::view::View;
use crate::api::client::Client;
use crate::api::{Server, socket_path};
use crate::app::role::{ClusterDoor, RoleError};
use crate::config::Settings;
use crate::lock::Lock;

/// Opens a door to the cluster whose database `settings` name.
///
/// # Errors
/// The database cannot be read, holds no cluster, or there is no place for a socket.
pub(in crate::app) fn door(settings: &Settings) -> Result<ClusterDoor, RoleError> {
    let failed = |error: &dyn std::fmt::Display| RoleError { code: 1, reason: error.to_string() };
    let viewer = bystander();
    let view = Arc::new(View::new(settings, &viewer)?);
    view.look_now()?;
    view.go_on();
    let directory = tempfile::Builder::new()
        .prefix("poller-view-")
        .tempdir()
        .map_err(|error| failed(&format!("no directory for a socket: {error}")))?;
    let mut lock = Lock::take(directory.path()).map_err(|error| failed(&error))?;
    let socket = socket_path(directory.path(), |name| std::env::var_os(name));
    let server = Server::start(&socket, None, &of_cluster(&view, &viewer))
        .map_err(|error| failed(&error))?;
    lock.announce(&socket).map_err(|error| failed(&error))?;
    let client = Client::of(directory.path()).called(view.place());
    Ok(ClusterDoor { client, _kept: Box::new((server, lock, directory)) })
}
