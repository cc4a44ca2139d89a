//! `poller db`: what is asked about the database of a cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::given::Given;

/// Shards unless told otherwise.
pub const SHARDS: u32 = 64;

/// What is asked about the database of a cluster.
#[derive(Args)]
pub struct Db {
    /// What is to be done with it.
    #[command(subcommand)]
    pub wish: DbWish,
    /// Settings, which may stand behind the command.
    #[command(flatten)]
    pub given: Given,
}

impl std::fmt::Debug for Db {
    /// Leaves out the settings: they may hold secrets.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Db").field("wish", &self.wish).finish_non_exhaustive()
    }
}

/// What is to be done with the database of a cluster.
#[derive(Debug, Subcommand)]
pub enum DbWish {
    /// Set it up in an empty database
    Init {
        /// Into how many shards targets are shared: as many schedulers, recorders and checkers of a
        /// location can work at once; it cannot be changed later
        #[arg(long, value_name = "N", default_value_t = SHARDS)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=4096))]
        shards: u32,
    },
    /// Bring it up to date with this version of poller; nothing is lost
    Migrate,
    /// Take the targets of a list over, in the place of those of the last one
    Import {
        /// The list, in any of its forms (default what --urls says)
        #[arg(value_name = "FILE|URL")]
        list: Option<PathBuf>,
        /// Leave targets alone that the list does not name
        #[arg(long)]
        keep_others: bool,
        /// Set the database up first if that was not done yet, with as many shards as usual
        #[arg(long)]
        init: bool,
    },
    /// Print the targets of lists as one that can be imported again, one JSON object a line
    Export {
        /// Print those that came over the API instead, as the array that PUT /api/v1/targets takes
        #[arg(long)]
        api: bool,
        /// Print headers, bodies and passwords too, without which some cannot be imported again
        #[arg(long)]
        secrets: bool,
    },
    /// Print version, shards, targets, locations and members
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make no more jobs for a location from which nobody polls any more, or make them again
    Location {
        /// Its name
        name: String,
        /// Make jobs for it again
        #[arg(long)]
        again: bool,
    },
}
