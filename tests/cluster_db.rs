//! The database of a cluster: a real PostgreSQL.
#![cfg(feature = "distributed")]

#[path = "cluster_db/leases.rs"]
mod leases;
#[path = "cluster_db/server.rs"]
mod server;
#[path = "cluster_db/setup.rs"]
mod setup;

use server::Server;

/// Leases, all against one server: it costs more than they do.
#[tokio::test]
async fn leases_are_kept() {
    let server = Server::start(&[]);
    leases::shards_have_one_owner_and_shares_are_fair_whoever_dies(&server).await;
    leases::members_that_ask_at_once_share_without_overlap(&server).await;
    leases::a_member_that_cannot_renew_stops_before_others_begin(&server).await;
    leases::what_was_produced_is_handed_on_and_never_goes_back(&server).await;
    leases::a_namesake_has_to_wait(&server).await;
}

#[tokio::test]
async fn leases_end_while_the_server_hangs() {
    leases::a_server_that_hangs_ends_leases_all_the_same().await;
}

#[tokio::test]
async fn a_database_is_set_up() {
    let server = Server::start(&[]);
    setup::a_cluster_is_set_up_once(&server).await;
    setup::partitions_are_made_ahead_and_dropped(&server).await;
    setup::a_database_of_another_version_is_refused(&server).await;
}
