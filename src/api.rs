//! The questions that the daemon answers over HTTP, on its socket and wherever it listens.
//!
//! Each resource is a file with its routes, its documentation and the trait behind them; `routes`
//! puts them together and says who may use them, `guard` finds out who asks.

pub mod client;

mod changes;
mod facts;
mod fleet;
mod follow;
mod guard;
mod openapi;
mod problem;
mod process;
mod query;
mod routes;
mod runs;
mod server;
mod services;
mod socket;
mod visitor;

pub use changes::{Change, Changes, OnReject, PauseWish, Refusal, Rejections, Selection, What};
pub use facts::{Answer, Facts};
pub use follow::{Feed, Subscription, TooManyFollowers, finished_line};
pub use problem::Problem;
pub use routes::router;
pub use runs::{RunLimits, Runs, Unrun};
pub use server::{Server, listen};
pub use services::{ApiOptions, Services};
pub use socket::{SocketError, socket_path};
pub use visitor::{Role, Via, Visitor};
