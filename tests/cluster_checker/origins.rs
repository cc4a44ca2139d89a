//! Where targets may lead that came over the API, as a checker sees them.

use poller::check::Policy;
use poller::config::rules::Rules;
use poller::config::substitute::{Origin, Variables};
use poller::config::targets;
use poller::config::targets::own::read_own;
use poller::config::targets::written::write;
use poller::outcome::Detail;
use poller::queue::kafka::messages::{JobMessage, Told};
use poller::target::Target;
use serde_json::value::RawValue;

use crate::cluster::{World, job, now_ms};
use crate::member::Member;

/// The target of `url` that came over the API.
fn own(url: &str) -> Target {
    let raw = RawValue::from_string(format!("{{\"url\":\"{url}\"}}")).expect("JSON");
    let (mut good, bad) = read_own(&[&raw], &Rules::default().for_api(Policy::default()), 0);
    good.pop().unwrap_or_else(|| panic!("{bad:?}")).target
}

/// The target of `url` that a list names.
fn listed(url: &str) -> Target {
    let origin = Origin::of_file("urls.json".as_ref(), Variables::default());
    let text = format!("[\"{url}\"]");
    let mut list = targets::read(&mut text.as_bytes(), "urls.json", &origin, &Rules::default())
        .expect("a list");
    list.targets.pop().expect("a target")
}

pub(crate) async fn what_came_over_the_api_leads_where_the_policy_lets_it(world: &World) {
    let mut cluster = world.cluster("origins").await;
    let resolver = world.fleet.dns_address().to_string();
    // Names of the fleet mean addresses of 127.1.0.0/16.
    let allowed = ["--resolver", &resolver, "--allow-targets", "127.1.0.0/16"];
    let strict = Member::start(&cluster.connection, "strict", "strict", &allowed[..2]);
    let wide = Member::start(&cluster.connection, "wide", "wide", &allowed);
    let plain = world.fleet.named_url(1, "/d1");
    let inside = format!("http://127.0.0.1:{}/", world.fleet.http_port());
    let inside = inside.replace(':', "%3A").replace('/', "%2F");
    let leading = world.fleet.named_url(2, &format!("/redirect-to/{inside}"));
    let due_ms = now_ms();
    let targets = [own(&plain), own(&leading), listed(&plain), listed(&leading)];
    let jobs: Vec<JobMessage> = (1_u32..)
        .zip(&targets)
        .map(|(number, target)| JobMessage {
            entry: write(target).into_bytes().into(),
            ..job(number, due_ms, 60_000, "")
        })
        .collect();
    for job in &jobs {
        cluster.produce(job);
    }
    cluster.flush();
    let mut ends = Vec::new();
    let is_all = cluster.read_until(|seen| {
        let told = seen.iter().filter_map(|one| match &one.report.told {
            Some(Told::Outcome(told)) if !told.is_provisional => {
                let location = one.report.location.clone();
                Some((location, told.target, told.verdict, told.detail))
            }
            _ => None,
        });
        ends = told.collect();
        ends.len() >= 8
    });
    ends.sort();
    assert!(is_all, "{ends:?} {} {}", strict.said(), wide.said());
    let forbidden = (3, u32::from(Detail::ForbiddenAddress.code()));
    let wanted = |location: &str, refused: &[u32]| {
        let end = |number| if refused.contains(&number) { forbidden } else { (0, 0) };
        let ends = (1..=4).map(|number| (location.to_owned(), number, end(number)));
        ends.map(|(location, number, end)| (location, number, end.0, end.1)).collect::<Vec<_>>()
    };
    assert_eq!(ends, [wanted("strict", &[1, 2]), wanted("wide", &[2])].concat());
}
