//! The questions that the daemon answers over HTTP, on its socket and wherever it listens.
//!
//! `GET /api/v1/stats?all=`, `/api/v1/in-flight?all=`, `/api/v1/targets?state=&label=&after=&limit=`,
//! `/api/v1/follow`; `GET /healthz` or `/livez` or `/-/healthy` (it works), `/readyz` or `/-/ready`
//! (it polls); `POST /-/reload`, `/-/stop`.

pub mod client;

mod facts;
mod follow;
mod problem;
mod routes;
mod server;
mod socket;

pub use facts::{Answer, Facts};
pub use follow::{Feed, Subscription, TooManyFollowers, finished_line};
pub use problem::Problem;
pub use routes::router;
pub use server::Server;
pub use socket::{SocketError, socket_path};
