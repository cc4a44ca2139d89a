//! What badges say, how they are named, and who may see which.

use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;

use super::*;
use crate::api::visitor::Via;
use crate::api::{Parts, PastError, Told};
use crate::view::past::{
    Badge, CheckQuery, Endpoint, ExportedPoll, ExportedTally, History, HistoryQuery, IncidentPage,
    IncidentQuery, LatencyChart, PollPage, PollSpan, ResultPage, ResultsSummary, SummaryPeriod,
    TallySpan, TargetDetail,
};

/// A past of two targets that are up, `open` and `closed`.
struct Two;

fn nothing<T>() -> Told<T> {
    Err(PastError::Unreadable("it is not asked for".to_owned()))
}

impl Past for Two {
    fn detail(&self, _: &str) -> Told<TargetDetail> {
        nothing()
    }

    fn history(&self, _: &str, _: &HistoryQuery) -> Told<History> {
        nothing()
    }

    fn checks(&self, _: &CheckQuery) -> Told<PollPage> {
        nothing()
    }

    fn results(&self, _: &CheckQuery) -> Told<ResultPage> {
        nothing()
    }

    fn summed_up(&self, _: SummaryPeriod) -> Told<ResultsSummary> {
        nothing()
    }

    fn incidents(&self, _: &IncidentQuery) -> Told<IncidentPage> {
        nothing()
    }

    fn latency(&self, _: ChartSpan) -> Told<LatencyChart> {
        nothing()
    }

    fn uptime(&self, _: &str, _: i64) -> Told<Option<f64>> {
        nothing()
    }

    fn endpoints(&self, _: usize, _: usize) -> Told<Vec<Endpoint>> {
        nothing()
    }

    fn endpoint(&self, _: &str, _: usize, _: usize) -> Told<Endpoint> {
        nothing()
    }

    fn endpoint_id(&self, _: &str) -> Told<String> {
        nothing()
    }

    fn has_public_badges(&self, id: &str) -> bool {
        id == "open"
    }

    fn badge(&self, id: &str, _: BadgeKind) -> Told<Badge> {
        match id {
            "open" | "closed" => {
                Ok(Badge { name: id.to_owned(), reading: Reading::Status(Health::Up) })
            }
            _ => Err(PastError::Unknown(id.to_owned())),
        }
    }

    fn exported_polls(&self, _: &PollSpan) -> Told<Parts<ExportedPoll>> {
        nothing()
    }

    fn exported_tallies(&self, _: &TallySpan) -> Told<Parts<ExportedTally>> {
        nothing()
    }
}

/// The status of the answer to who has `role` and asks for the badge of `id`.
async fn status(role: Option<Role>, id: &str) -> u16 {
    let (router, _) = routes(Arc::new(Two)).open.split_for_parts();
    let mut request =
        Request::get(format!("/badge/{id}/status.svg")).body(Body::empty()).expect("a request");
    request.extensions_mut().insert(Visitor { role, via: Via::Nothing });
    let answer = router.oneshot(request).await.expect("an answer");
    answer.status().as_u16()
}

#[tokio::test]
async fn strangers_see_public_badges_and_do_not_learn_which_others_there_are() {
    assert_eq!(status(None, "open").await, 200);
    assert_eq!(status(None, "closed").await, 401);
    assert_eq!(status(None, "missing").await, 401);
    for role in Role::ALL {
        assert_eq!(status(Some(role), "closed").await, 200);
        assert_eq!(status(Some(role), "missing").await, 404);
    }
}

#[test]
fn no_outage_is_rounded_away() {
    let shown = [1.0, 0.999_999, 0.9995, 0.5, 0.0].map(percent);
    assert_eq!(shown, ["100%", "99.99%", "99.95%", "50.00%", "0.00%"]);
}

#[test]
fn a_badge_is_named_by_figure_and_form() {
    let none = RawQuery(None);
    assert!(Asked::of("status.svg", &none).is_ok_and(|asked| asked.is_svg));
    assert!(Asked::of("latency.json", &none).is_ok_and(|asked| !asked.is_svg));
    for slip in ["status", "status.png", "mood.svg"] {
        assert_eq!(Asked::of(slip, &none).err().map(|problem| problem.status), Some(404));
    }
    for slip in ["span=5m", "style=plastic", "label=", "colour=red"] {
        let slip = RawQuery(Some(slip.to_owned()));
        assert_eq!(Asked::of("uptime.svg", &slip).err().map(|slip| slip.status), Some(400));
    }
}
