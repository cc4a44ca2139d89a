//! The questions that the daemon answers over HTTP, on its socket and wherever it listens.
//!
//! Each resource is a file with its routes, its documentation and the trait behind them; `routes`
//! puts them together and says who may use them, `guard` finds out who asks.

pub mod client;
#[cfg(fuzzing)]
pub mod fuzzing;

mod announcements;
mod answer;
mod badges;
mod board;
mod changes;
mod endpoints;
mod events;
mod export;
mod facts;
mod fleet;
mod follow;
mod guard;
mod keys;
mod login;
mod metrics;
mod openapi;
mod page;
mod past;
mod probe;
mod problem;
mod process;
mod query;
mod routes;
mod runs;
mod sd;
mod server;
mod services;
mod socket;
mod status;
mod tokens;
mod visitor;

pub use board::{Board, BoardError};
pub use changes::{Change, Changes, OnReject, PauseWish, Refusal, Rejections, Selection, What};
pub use events::{Broadcast, Events};
pub use facts::{Answer, Facts};
pub use follow::{Feed, Subscription, TooManyFollowers, finished_line};
pub use guard::JwtKey;
pub use keys::{
    CreatedToken, Key, Keys, KeysError, Minted, NewToken, TokenRow, TokenState, Unmintable,
};
pub use metrics::{Metrics, Visits};
pub use past::{Parts, Past, PastError, Told};
pub use probe::{ProbeAnswer, ProbeQuery, Prober};
pub use problem::Problem;
pub use routes::router;
pub use runs::{RunLimits, Runs, Unrun};
pub use sd::{Discovery, Found};
pub use server::{Server, Tls, TlsError, listen};
pub use services::{ApiOptions, Patience, Services};
pub use socket::{SocketError, socket_path};
pub use visitor::{Role, Via, Visitor};
