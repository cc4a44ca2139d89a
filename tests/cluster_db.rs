//! The database of a cluster: a real PostgreSQL.
#![cfg(feature = "distributed")]
#![expect(clippy::expect_used, reason = "a test ends where it fails")]

#[path = "cluster_db/commands.rs"]
mod commands;
#[path = "support/engines.rs"]
mod engines;
#[path = "cluster_db/leases.rs"]
mod leases;
#[path = "cluster_db/server.rs"]
mod server;
#[path = "cluster_db/setup.rs"]
mod setup;
#[path = "cluster_db/targets.rs"]
mod targets;

use engines::Postgres;

/// All against one server: it costs more than they do.
#[tokio::test]
async fn shards_are_leased() {
    if !engines::are_here() {
        return;
    }
    let server = Postgres::start();
    leases::shards_have_one_owner_and_shares_are_fair_whoever_dies(&server).await;
    Box::pin(leases::members_that_ask_at_once_share_without_overlap(&server)).await;
    leases::what_is_given_up_is_no_more_ours_before_others_can_have_it(&server).await;
    leases::a_member_that_cannot_renew_stops_before_others_begin(&server).await;
    leases::what_was_produced_is_handed_on_and_never_goes_back(&server).await;
    leases::a_namesake_has_to_wait(&server).await;
    leases::a_name_is_a_seat_of_its_role(&server).await;
    leases::a_connection_that_hangs_is_nobody_elses(&server).await;
    leases::a_late_answer_says_nothing_of_clocks(&server).await;
    leases::a_server_that_hangs_ends_leases_all_the_same(&server).await;
}

#[tokio::test]
async fn a_database_is_set_up() {
    if !engines::are_here() {
        return;
    }
    let server = Postgres::start();
    setup::a_cluster_is_set_up_once(&server).await;
    setup::partitions_are_made_ahead_and_dropped(&server).await;
    setup::a_database_of_another_version_is_refused(&server).await;
}

#[tokio::test]
async fn targets_are_imported_and_read() {
    if !engines::are_here() {
        return;
    }
    let server = Postgres::start();
    targets::a_target_keeps_its_number_whatever_becomes_of_the_list(&server).await;
    targets::what_an_entry_says_is_in_its_row(&server).await;
    targets::changes_are_seen_by_revision(&server).await;
    targets::changes_come_in_pages_and_none_is_left_out(&server).await;
    targets::two_imports_at_once_are_one_after_the_other(&server).await;
    targets::a_list_removes_only_what_a_list_named(&server).await;
    targets::a_change_is_made_of_what_was_seen_or_not_at_all(&server).await;
}

#[test]
fn the_commands_do_what_they_say() {
    if !engines::are_here() {
        return;
    }
    let server = Postgres::start();
    commands::a_list_is_imported_and_exported(&server);
    commands::secrets_are_shown_only_when_asked_for(&server);
    commands::what_is_wrong_is_told_with_its_code(&server);
    commands::status_tells_of_members_and_shards(&server);
}

#[test]
fn a_database_that_lets_nobody_in_is_told_from_one_that_is_away() {
    if !engines::are_here() {
        return;
    }
    commands::faults_of_the_connection_are_told_apart();
}
