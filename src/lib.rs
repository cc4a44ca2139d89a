//! poller polls URLs on time, keeps every result, and sums them up on demand.
//!
//! The modules, in reading order:
//!
//! * core, pure: [`address`], [`expectation`], [`target`], [`outcome`], [`schedule`], [`health`],
//!   [`stats`], [`manners`], [`shards`], [`roster`], [`ledger`]
//! * ports, each with its edges in a folder of the same name: [`check`], [`queue`], [`store`],
//!   and the time: [`clock`]
//! * the loops that move polls along: [`stage`]
//! * faces: [`view`], [`lock`] (whose a data directory is), [`api`]
//! * checks that are run once, also from other programs: [`run`]
//! * the process: [`config`], [`process`], [`log`], [`signal`], [`daemon`], [`cli`], [`app`]

pub mod address;
pub mod expectation;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod health;
pub mod ledger;
pub mod manners;
mod named;
pub mod outcome;
pub mod roster;
pub mod schedule;
pub mod shards;
pub mod stats;
pub mod target;

pub mod check;
pub mod clock;
pub mod queue;
pub mod store;

pub mod stage;

pub mod api;
pub mod lock;
pub mod view;

pub mod app;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod log;
pub mod process;
pub mod run;
pub mod signal;
