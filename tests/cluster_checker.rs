//! Checkers of a cluster: real processes over a real Kafka, which poll a fleet on loopback.
#![cfg(feature = "distributed")]
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test ends where it fails, and says what its processes said"
)]

#[path = "support/away.rs"]
mod away;
#[path = "cluster_checker/cluster.rs"]
mod cluster;
#[path = "support/engines.rs"]
mod engines;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "cluster_checker/member.rs"]
mod member;
#[path = "cluster_checker/origins.rs"]
mod origins;
#[path = "cluster_checker/polling.rs"]
mod polling;
#[path = "cluster_checker/refusals.rs"]
mod refusals;
#[path = "cluster_checker/shared.rs"]
mod shared;
#[path = "cluster_checker/trouble.rs"]
mod trouble;

use cluster::World;

/// What one checker does, all against one Kafka: it costs more than they do.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_polled() {
    let Some(world) = World::start() else { return };
    polling::every_job_has_one_end_and_all_are_committed(&world).await;
    polling::what_is_no_job_is_put_aside_and_blocks_nobody(&world).await;
    polling::what_cannot_be_put_aside_blocks_nobody_either(&world).await;
    polling::late_jobs_and_slow_targets_leave_no_job_without_an_end(&world).await;
    origins::what_came_over_the_api_leads_where_the_policy_lets_it(&world).await;
    polling::what_a_checker_says_of_itself_is_on_the_topic(&world).await;
}

/// What several do.
#[tokio::test(flavor = "multi_thread")]
async fn checkers_share_the_jobs() {
    let Some(world) = World::start() else { return };
    shared::a_second_checker_takes_half_and_nobody_waits_long(&world).await;
    shared::who_is_killed_leaves_its_jobs_to_others(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_go_away_and_come_back() {
    let Some(world) = World::start() else { return };
    trouble::nothing_is_lost_while_brokers_are_away(&world).await;
    trouble::topics_are_waited_for(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_says_why() {
    if !engines::are_here() {
        return;
    }
    refusals::no_broker_is_waited_for().await;
    refusals::a_wrong_password_ends_it();
    refusals::a_wrong_authority_ends_it();
    refusals::who_speaks_plainly_to_brokers_that_want_a_password_hears_of_it();
}
