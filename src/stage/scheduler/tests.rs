//! What the scheduler keeps of targets that come and go.

use super::*;
use crate::address::Address;
use crate::target::{CheckKind, Origin, Priority, Seat, TargetId};

fn target(number: u32) -> Arc<Target> {
    let url = format!("http://site-{number}.example/");
    Arc::new(Target {
        number,
        id: TargetId::of_address(CheckKind::Http, "GET", &url, 0),
        given_id: None,
        name: None,
        address: Address::parse(&url).expect("a good address"),
        every_ms: 1_000,
        timeout_ms: 1_000,
        priority: Priority::Normal,
        plan: Arc::default(),
        labels: Arc::default(),
        origin: Origin::default(),
        seat: Seat::default(),
    })
}

#[tokio::test(start_paused = true)]
async fn seats_of_targets_that_left_are_taken_by_others() {
    let clock = Clock::with_wall(|| 1_795_341_600_000_000);
    let mut scheduler =
        Scheduler::new(clock, Arc::default(), Limits::default(), (0..10).map(target));
    for number in 10..1_000 {
        let desk = scheduler.desk();
        desk.hand_in([Change::Remove(number - 10), Change::Add(target(number))]);
        tokio::time::advance(Duration::from_millis(100)).await;
        scheduler.advance();
    }
    // A seat is free when it would have fallen due, at the latest a second after it was left.
    let (seats, taken) = scheduler.seats.len();
    assert!(seats <= 25, "{seats}");
    assert_eq!(taken, 10);
    assert!(scheduler.seats.ready() <= 10);
}
