//! The view of a cluster, from a real PostgreSQL that what recorders write stands in.
#![cfg(feature = "distributed")]
#![allow(
    clippy::expect_used,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "what cannot be set up fails the test, and figures are small and exact"
)]

#[path = "support/admin.rs"]
mod admin;
#[path = "cluster_view/asked.rs"]
mod asked;
#[path = "cluster_view/changed.rs"]
mod changed;
#[path = "support/engines.rs"]
mod engines;
#[path = "cluster_view/fed.rs"]
mod fed;
#[path = "cluster_view/pages.rs"]
mod pages;
#[path = "cluster_view/past.rs"]
mod past;
#[path = "cluster_view/replaced.rs"]
mod replaced;
#[path = "cluster_db/server.rs"]
mod server;
#[path = "cluster_view/summary.rs"]
mod summary;
#[path = "cluster_view/trouble.rs"]
mod trouble;

use asked::Asked;
use engines::Postgres;
use fed::Fed;

/// Whether there is a PostgreSQL; Kafka is not needed here. Where there is none it says that the test is
/// skipped.
fn is_postgres_here() -> bool {
    let is_here = engines::run("postgres", &["check"]).status.success();
    assert!(is_here || !engines::are_required(), "PostgreSQL is not here");
    if !is_here {
        println!("skipped: PostgreSQL is not here");
    }
    is_here
}

/// All that needs the same cluster, which is not changed: making it costs more than looking at it.
#[test]
fn a_cluster_is_shown_as_one_machine_would_be() {
    if !is_postgres_here() {
        return;
    }
    let server = Postgres::start();
    let fed = Fed::new(&server);
    let asked = Asked::of(&fed.url);
    summary::it_is_that_of_one_machine(&fed, &asked);
    summary::it_says_who_works_where(&fed, &asked);
    summary::commands_print_it(&fed);
    pages::every_filter_finds_what_it_should(&fed, &asked);
    pages::pages_of_every_order_hold_each_target_once(&fed, &asked);
    // By now somebody has asked often enough for figures to be kept in memory.
    pages::figures_are_read(&fed);
    pages::every_filter_finds_what_it_should(&fed, &asked);
    pages::pages_of_every_order_hold_each_target_once(&fed, &asked);
    past::the_last_polls_of_a_target_are_found_by_its_slots(&fed, &asked);
    past::polls_of_the_fleet_come_page_by_page(&fed, &asked);
    past::a_target_is_told_in_full(&fed, &asked);
    past::outages_and_the_fleet_are_told(&fed, &asked);
    past::everything_can_be_exported(&fed, &asked);
    past::figures_and_discovery_are_told(&asked);
}

#[test]
fn figures_are_read_for_the_first_question_that_needs_them() {
    if is_postgres_here() {
        pages::the_first_question_has_the_figures_read();
    }
}

#[test]
fn a_database_that_goes_away_leaves_the_last_figures() {
    if is_postgres_here() {
        trouble::the_last_summary_stays_and_says_so();
    }
}

#[test]
fn what_cannot_be_shown_is_said_clearly() {
    if is_postgres_here() {
        trouble::commands_say_what_is_wrong();
    }
}

#[test]
fn what_is_changed_over_the_api_is_changed_in_the_database() {
    if is_postgres_here() {
        changed::tokens_and_targets_are_changed_over_the_api();
    }
}

#[test]
fn targets_of_the_api_are_replaced_and_paused_at_once() {
    if is_postgres_here() {
        replaced::targets_of_the_api_become_exactly_those_that_are_sent();
        replaced::a_pause_is_shown_at_once_and_lasts_over_imports();
    }
}

#[test]
fn a_role_answers_for_itself() {
    if is_postgres_here() {
        trouble::a_scheduler_without_kafka_lives_and_is_not_ready();
    }
}
